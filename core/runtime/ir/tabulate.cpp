// SPDX-License-Identifier: Apache-2.0
// A value with a quantizer of few bits takes few different values, so everything that is computed from it alone,
// element by element, is a table: x * sigmoid(x) with quantizers behind x, the sigmoid and the product becomes one
// pass. The table is filled by the operators' own kernels, so it gives exactly what they would.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "core/runtime/ir/operators_internal.h"
#include "core/runtime/kernels/evaluate.h"
#include "core/runtime/kernels/fake_quantize.h"
#include "core/runtime/kernels/pointwise_pass_internal.h"

namespace equant::ir {
namespace {

/// 16 KiB of floats: the table stays in the first-level cache.
constexpr int kMostBits = 12;
/// Fewer elements are computed sooner than looked up in one more step.
constexpr std::int64_t kFewestElements = 1024;

const Encoding* quantizerOf(const Op& op) {
    const bool isQuantizer =
        op.kind == Kind::Pointwise && op.posts.size() == 1 && op.posts[0].kind == Post::Kind::FakeQuant;
    if (!isQuantizer || op.posts[0].encoding->isPerChannel()) return nullptr;
    return op.posts[0].encoding.get();
}

/// Worth a table by themselves; cheaper functions are better off as posts of what produces the value.
bool isExpensive(const Node& node) {
    static constexpr auto kNames = std::to_array<std::string_view>(
        {"Celu", "Cos", "Elu", "Erf", "Exp", "Gelu", "Log", "Mish", "Pow", "Selu", "Sin", "Softplus", "Tanh"});
    return std::find(kNames.begin(), kNames.end(), node.opType) != kNames.end();
}

class Tabulation {
public:
    explicit Tabulation(Program& program) : m_program(program), m_readers(program.values.size()) {
        for (std::size_t i = 0; i < program.ops.size(); ++i) {
            for (const ValueId id : readBy(program.ops[i])) m_readers[id].insert(i);
        }
    }

    void run() {
        for (std::size_t i = 0; i < m_program.ops.size(); ++i) {
            if (isRoot(m_program.ops[i])) tabulate(i);
        }
    }

private:
    static std::vector<ValueId> readBy(const Op& op) {
        std::vector<ValueId> values;
        if (op.kind == Kind::Dead) return values;
        for (const ValueId id : op.inputs) {
            if (id != kNoValue) values.push_back(id);
        }
        for (const Post& post : op.posts) {
            if (post.operand != kNoValue) values.push_back(post.operand);
        }
        return values;
    }

    [[nodiscard]] bool isRoot(const Op& op) const {
        const Encoding* grid = quantizerOf(op);
        if (grid == nullptr || grid->bits > kMostBits || grid->rounding != Rounding::HalfToEven) return false;
        const Value& value = m_program.values[op.outputs[0]];
        return value.shape && !value.isPinned() && elementCount(*value.shape) >= kFewestElements;
    }

    /// The operator's inputs come from `known` values or are constants of one element.
    [[nodiscard]] bool isFunctionOf(const std::set<ValueId>& known, const Op& op) const {
        if (op.outputs.size() != 1 || op.outputs[0] == kNoValue) return false;
        if (quantizerOf(op) != nullptr) return true;
        if (op.node == nullptr || !op.hasNodeSemantics || !isElementwise(*op.node)) return false;
        const Value& output = m_program.values[op.outputs[0]];
        if (output.dtype != DType::Float || !output.shape || *output.shape != *m_program.values[*known.begin()].shape)
            return false;
        return std::all_of(op.nodeInputs.begin(), op.nodeInputs.end(), [&](ValueId id) {
            if (id == kNoValue || known.contains(id)) return true;
            const auto& constant = m_program.values[id].constant;
            return constant && constant->count() == 1;
        });
    }

    struct Region {
        std::vector<std::size_t> members;  ///< in execution order
        ValueId result = kNoValue;
    };

    /// Everything computed from `root` alone; no result when more than one value of it is wanted outside.
    [[nodiscard]] Region regionOf(ValueId root) const {
        Region region;
        std::set<ValueId> known{root};
        std::set<std::size_t> open = m_readers[root];
        std::set<std::size_t> members;
        while (!open.empty()) {
            const std::size_t index = *open.begin();
            open.erase(open.begin());
            const Op& op = m_program.ops[index];
            if (op.kind == Kind::Dead || !isFunctionOf(known, op)) continue;
            members.insert(index);
            known.insert(op.outputs[0]);
            open.insert(m_readers[op.outputs[0]].begin(), m_readers[op.outputs[0]].end());
        }
        region.members.assign(members.begin(), members.end());
        for (const ValueId id : known) {
            const bool isInner = !m_program.values[id].isPinned() && !m_readers[id].empty() &&
                                 std::all_of(m_readers[id].begin(), m_readers[id].end(),
                                             [&](std::size_t reader) { return members.contains(reader); });
            if (isInner) continue;
            if (region.result != kNoValue) return {};
            region.result = id;
        }
        return region.result == root ? Region{} : region;
    }

    [[nodiscard]] bool isWorthwhile(const Region& region, ValueId root) const {
        std::size_t reads = 0;
        bool isCostly = false;
        for (const std::size_t index : region.members) {
            const Op& op = m_program.ops[index];
            const auto values = readBy(op);
            reads += static_cast<std::size_t>(std::count(values.begin(), values.end(), root));
            isCostly |= op.node != nullptr && isExpensive(*op.node);
        }
        return reads > 1 || isCostly;
    }

    /// The region's kernels on all values of the grid.
    [[nodiscard]] std::optional<Tensor> evaluate(const Region& region, ValueId root, const Encoding& grid) const {
        std::map<ValueId, Tensor> known;
        const std::vector<float> values = gridValues(grid);
        known.emplace(root, Tensor(Shape{static_cast<std::int64_t>(values.size())}, values));
        for (const std::size_t index : region.members) {
            const Op& op = m_program.ops[index];
            if (const Encoding* encoding = quantizerOf(op)) {
                auto quantized = fakeQuantized(known.at(op.inputs[0]), *encoding);
                if (!quantized) return std::nullopt;
                known.emplace(op.outputs[0], std::move(*quantized));
                continue;
            }
            std::vector<Tensor> inputs;
            for (const ValueId id : op.nodeInputs) inputs.push_back(argument(known, id));
            auto results = evaluateNode(*op.node, inputs, m_program.opset);
            if (!results || results->size() != 1 || results->front().shape() != known.at(root).shape())
                return std::nullopt;
            known.emplace(op.outputs[0], std::move(results->front()));
        }
        return known.at(region.result);
    }
    [[nodiscard]] Tensor argument(const std::map<ValueId, Tensor>& known, ValueId id) const {
        if (id == kNoValue) return {};
        if (const auto found = known.find(id); found != known.end()) return found->second;
        const Tensor& constant = *m_program.values[id].constant;
        if (constant.rank() <= 1) return constant;
        Tensor flat(constant.dtype(), Shape{1});
        std::copy_n(constant.bytes().data(), constant.sizeBytes(), flat.mutableBytes().data());
        return flat;
    }

    void tabulate(std::size_t at) {
        Op& quantizer = m_program.ops[at];
        const ValueId root = quantizer.outputs[0];
        const Encoding& grid = *quantizer.posts[0].encoding;
        const Region region = regionOf(root);
        if (region.members.empty() || !isWorthwhile(region, root)) return;
        const auto values = evaluate(region, root, grid);
        if (!values) return;
        const auto producer = std::find_if(region.members.begin(), region.members.end(), [&](std::size_t index) {
            return m_program.ops[index].outputs[0] == region.result;
        });
        const auto data = values->data<float>();
        Post post;
        post.kind = Post::Kind::Table;
        post.table = std::make_shared<const LookupTable>(
            makeTable(grid, {data.begin(), data.end()}, quantizerOf(m_program.ops[*producer])));
        Op table;
        table.kind = Kind::Pointwise;
        table.label = quantizer.label;
        table.inputs = quantizer.inputs;
        table.outputs = {region.result};
        table.posts.push_back(std::move(post));
        table.hasNodeSemantics = false;
        const std::size_t last = region.members.back();
        m_readers[table.inputs[0]].erase(at);
        m_readers[table.inputs[0]].insert(last);
        quantizer = Op{};
        quantizer.kind = Kind::Dead;
        for (const std::size_t index : region.members) {
            m_program.ops[index] = Op{};
            m_program.ops[index].kind = Kind::Dead;
        }
        m_program.ops[last] = std::move(table);
    }

    Program& m_program;
    std::vector<std::set<std::size_t>> m_readers;  ///< by value
};

}  // namespace

void tabulateQuantized(Program& program) {
    Tabulation(program).run();
}

}  // namespace equant::ir
