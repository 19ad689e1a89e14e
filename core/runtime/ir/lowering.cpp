// SPDX-License-Identifier: Apache-2.0
// ONNX -> ir::Program: what is constant is computed now (and fake-quantized), the rest is sorted into kinds.
#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "core/graph/constants.h"
#include "core/graph/topology.h"
#include "core/runtime/ir/expansion_internal.h"
#include "core/runtime/ir/ir_internal.h"
#include "core/runtime/ir/operators_internal.h"
#include "core/runtime/kernels/control_internal.h"
#include "core/runtime/kernels/evaluate.h"
#include "core/runtime/kernels/fake_quantize.h"
#include "core/runtime/kernels/kernel_internal.h"

namespace equant::ir {
namespace {

bool isRandom(const Node& node) {
    return node.opType.starts_with("Random") || node.opType == "Bernoulli" || node.opType == "Multinomial";
}

class Lowering {
public:
    Lowering(Expanded expanded, const CompileOptions& options)
        : m_model(*expanded.model), m_options(options), m_facts(std::move(expanded.facts)) {
        m_program.ownModel = std::move(expanded.model);
        m_program.opset = m_model.opset();
        m_program.fuse = options.fuse;
    }

    Result<Program> run() {
        auto topology = Topology::of(m_model.graph);
        if (!topology) return fail(topology.error());
        m_topology = &*topology;
        if (auto status = markNeeded(); !status) return fail(status.error());
        if (auto status = addInputs(); !status) return fail(status.error());
        if (auto status = checkKernels(); !status) return fail(status.error());
        for (const std::size_t index : topology->order()) {
            if (!m_isNeeded[index]) continue;
            if (auto status = addNode(m_model.graph.nodes[index]); !status) return fail(status.error());
        }
        if (auto status = bindOutputs(); !status) return fail(status.error());
        for (const Op& op : m_program.ops) {
            for (const ValueId id : op.inputs) {
                if (id != kNoValue) ++m_program.values[id].uses;
            }
            for (const Post& post : op.posts) {
                if (post.operand != kNoValue) ++m_program.values[post.operand].uses;
            }
        }
        return std::move(m_program);
    }

private:
    std::vector<std::string> wantedOutputs() const {
        if (!m_options.outputs.empty()) return m_options.outputs;
        std::vector<std::string> names;
        for (const ValueInfo& output : m_model.graph.outputs) names.push_back(output.name);
        return names;
    }

    Status markNeeded() {
        m_isNeeded.assign(m_model.graph.nodes.size(), false);
        std::vector<std::string> open = wantedOutputs();
        open.insert(open.end(), m_options.taps.begin(), m_options.taps.end());
        std::unordered_set<std::string> seen;
        while (!open.empty()) {
            const std::string value = std::move(open.back());
            open.pop_back();
            if (value.empty() || !seen.insert(value).second) continue;
            const std::size_t producer = m_topology->producer(value);
            if (producer == Topology::kNone || m_isNeeded[producer]) continue;
            m_isNeeded[producer] = true;
            const Node& node = m_model.graph.nodes[producer];
            for (std::string& input : argumentNames(node)) open.push_back(std::move(input));
        }
        return {};
    }

    /// Names every operator that cannot run, not only the first one met.
    Status checkKernels() const {
        std::vector<std::string> missing;
        std::string first;
        for (std::size_t i = 0; i < m_isNeeded.size(); ++i) {
            const Node& node = m_model.graph.nodes[i];
            if (!m_isNeeded[i] || isFolded(node) || node.is("Constant")) continue;
            const auto reason = reasonUnsupported(node, m_program.opset);
            if (!reason) continue;
            if (first.empty()) first = node.label();
            const std::string line = fmt::format("{} ({})", operatorName(node), *reason);
            if (std::find(missing.begin(), missing.end(), line) == missing.end()) missing.push_back(line);
        }
        if (missing.empty()) return {};
        return fail(ErrorCode::Unsupported, fmt::format("The model cannot be executed: {}.", fmt::join(missing, ", ")),
                    "Ranges, equalization and export work without execution.", first);
    }

    bool isFolded(const Node& node) const {
        return std::all_of(node.outputs.begin(), node.outputs.end(),
                           [&](const std::string& value) { return value.empty() || factConstant(value).has_value(); });
    }

    std::optional<Tensor> factConstant(const std::string& value) const {
        const auto found = m_facts.find(value);
        if (found == m_facts.end()) return std::nullopt;
        return found->second.constant;
    }

    Status addInputs() {
        for (const ValueInfo* input : m_model.graph.requiredInputs()) {
            const ValueId id = newValue(input->name);
            const Value& value = m_program.values[id];
            if (!value.shape || value.dtype == DType::Undefined) {
                return fail(ErrorCode::InvalidArgument, fmt::format("The shape of input \"{}\" is open.", input->name),
                            "Give a shape for it.", input->name);
            }
            if (auto status = checkSize(id); !status) return status;
            m_program.inputs.push_back(id);
            if (auto status = define(input->name, id); !status) return status;
        }
        for (const Initializer& initializer : m_model.graph.initializers) {
            if (initializer.tensor.isEmpty()) continue;
            if (auto status = defineConstant(initializer.name, initializer.tensor); !status) return status;
        }
        return {};
    }

    /// Sizes are added up when memory is planned; no machine has what would make the sums overflow.
    [[nodiscard]] Status checkSize(ValueId id) const {
        constexpr std::int64_t kMostBytes = std::int64_t{1} << 45;
        const Value& value = m_program.values[id];
        if (!value.shape) return {};
        const auto count = checkedElementCount(*value.shape, value.dtype);
        if (count && *count <= kMostBytes * 8 / std::max(bitWidth(value.dtype), 1)) return {};
        return fail(ErrorCode::OutOfRange,
                    fmt::format("\"{}\" of shape {} would be too large.", value.name, toString(*value.shape)),
                    "Give the model a smaller input, or export it again.", value.name);
    }

    ValueId newValue(const std::string& valueName) {
        Value value;
        value.name = valueName;
        if (const auto found = m_facts.find(valueName); found != m_facts.end()) {
            value.dtype = found->second.dtype;
            const auto& shape = found->second.shape;
            if (shape && value.dtype != DType::Undefined &&
                std::all_of(shape->begin(), shape->end(), [](auto dim) { return dim >= 0; }))
                value.shape = shape;
        }
        m_program.values.push_back(std::move(value));
        return m_program.values.size() - 1;
    }

    Status defineConstant(const std::string& valueName, const Tensor& tensor) {
        m_raw[valueName] = tensor;
        Tensor stored = tensor;
        if (const auto found = m_options.overlay.find(valueName);
            found != m_options.overlay.end() && tensor.dtype() == DType::Float) {
            auto quantized = fakeQuantized(tensor, found->second);
            if (!quantized) {
                Error error = quantized.error();
                error.subject = valueName;
                return fail(std::move(error));
            }
            stored = std::move(*quantized);
        }
        m_names[valueName] = addConstant(m_program, valueName, std::move(stored));
        return {};
    }

    /// Gives the computed value `id` its name; inserts the fake quantization of the overlay.
    Status define(const std::string& valueName, ValueId id) {
        m_rawIds[valueName] = id;
        m_names[valueName] = id;
        const auto found = m_options.overlay.find(valueName);
        if (found == m_options.overlay.end() || m_program.values[id].dtype != DType::Float) return {};
        if (m_program.values[id].shape || found->second.isPerChannel()) {
            const Shape shape = m_program.values[id].shape.value_or(Shape{});
            if (auto status = checkEncoding(found->second, shape); !status) {
                Error error = status.error();
                error.subject = valueName;
                return fail(std::move(error));
            }
        }
        Value quantized = m_program.values[id];
        m_program.values.push_back(std::move(quantized));
        const ValueId target = m_program.values.size() - 1;
        Op op;
        op.kind = Kind::Pointwise;
        op.label = valueName;
        op.inputs = {id};
        op.outputs = {target};
        op.hasNodeSemantics = false;
        Post post;
        post.kind = Post::Kind::FakeQuant;
        post.encoding = std::make_shared<const Encoding>(found->second);
        op.posts.push_back(std::move(post));
        m_program.ops.push_back(std::move(op));
        m_names[valueName] = target;
        return {};
    }

    Status addNode(const Node& node) {
        std::vector<ValueId> inputs;
        for (const std::string& input : argumentNames(node)) {
            if (input.empty()) {
                inputs.push_back(kNoValue);
                continue;
            }
            const auto found = m_names.find(input);
            if (found == m_names.end()) {
                return fail(ErrorCode::Unsupported,
                            fmt::format("\"{}\" reads \"{}\", which cannot be computed here.", node.label(), input), {},
                            node.label());
            }
            inputs.push_back(found->second);
        }
        if (auto folded = foldNode(node, inputs); !folded || *folded) {
            if (!folded) return fail(folded.error());
            return {};
        }
        Op op;
        op.node = &node;
        op.label = node.label();
        op.inputs = inputs;
        op.nodeInputs = inputs;
        for (const std::string& output : node.outputs)
            op.outputs.push_back(output.empty() ? kNoValue : newValue(output));
        const std::vector<ValueId> outputs = op.outputs;
        classify(m_program, op);
        m_program.ops.push_back(std::move(op));
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (outputs[i] == kNoValue) continue;
            if (auto status = checkSize(outputs[i]); !status) return status;
            if (auto status = define(node.outputs[i], outputs[i]); !status) return status;
        }
        return {};
    }

    /// True when all outputs are constants now.
    Result<bool> foldNode(const Node& node, const std::vector<ValueId>& inputs) {
        const bool areInputsConstant = std::all_of(inputs.begin(), inputs.end(), [&](ValueId id) {
            return id == kNoValue || m_program.values[id].constant.has_value();
        });
        // Integer facts (shapes) hold whatever is quantized; float ones only where nothing quantized went in.
        const bool isKnown =
            isFolded(node) &&
            (node.is("Constant") || std::all_of(node.outputs.begin(), node.outputs.end(), [&](const auto& value) {
                 return value.empty() || factConstant(value)->dtype() != DType::Float;
             }));
        if (isKnown) {
            for (const std::string& value : node.outputs) {
                if (value.empty()) continue;
                if (auto status = defineConstant(value, *factConstant(value)); !status) return fail(status.error());
            }
            return true;
        }
        if (!areInputsConstant || isRandom(node)) return false;
        std::vector<Tensor> arguments;
        for (const ValueId id : inputs) arguments.push_back(id == kNoValue ? Tensor() : *m_program.values[id].constant);
        auto results = evaluateNode(node, arguments, m_program.opset);
        if (!results) {
            if (results.error().code == ErrorCode::Unsupported && !inputs.empty()) return false;
            return fail(results.error());
        }
        for (std::size_t i = 0; i < node.outputs.size() && i < results->size(); ++i) {
            if (node.outputs[i].empty()) continue;
            if (auto status = defineConstant(node.outputs[i], (*results)[i]); !status) return fail(status.error());
        }
        return true;
    }

    Status bindOutputs() {
        for (const std::string& value : wantedOutputs()) {
            const auto found = m_names.find(value);
            if (found == m_names.end()) {
                return fail(ErrorCode::InvalidArgument, fmt::format("The graph has no value \"{}\".", value), {},
                            value);
            }
            m_program.values[found->second].isOutput = true;
            m_program.outputs.push_back(found->second);
        }
        for (std::size_t i = 0; i < m_options.taps.size(); ++i) {
            if (auto status = bindTap(m_options.taps[i]); !status) return status;
        }
        return {};
    }

    Status bindTap(const std::string& value) {
        ValueId id = kNoValue;
        if (const auto found = m_rawIds.find(value); found != m_rawIds.end()) {
            id = found->second;
        } else if (const auto raw = m_raw.find(value); raw != m_raw.end()) {
            id = addConstant(m_program, value, raw->second);
        } else {
            return fail(ErrorCode::InvalidArgument, fmt::format("The graph has no value \"{}\".", value), {}, value);
        }
        m_program.values[id].tap = m_program.taps.size();
        m_program.taps.push_back(id);
        return {};
    }

    const Model& m_model;
    const CompileOptions& m_options;
    FactMap m_facts;
    const Topology* m_topology = nullptr;
    std::vector<bool> m_isNeeded;
    std::unordered_map<std::string, ValueId> m_names;   ///< what readers get
    std::unordered_map<std::string, ValueId> m_rawIds;  ///< before fake quantization
    std::unordered_map<std::string, Tensor> m_raw;      ///< constants before fake quantization
    Program m_program;
};

}  // namespace

Result<Program> lower(const Model& model, const CompileOptions& options) {
    ShapeOptions shapes;
    shapes.inputShapes = options.inputShapes;
    shapes.batch = 1;
    shapes.evaluate = constantEvaluator();
    auto expanded = expand(model, shapes);
    if (!expanded) return fail(expanded.error());
    return Lowering(std::move(*expanded), options).run();
}

}  // namespace equant::ir
