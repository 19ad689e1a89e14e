// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "core/base/hash.h"
#include "core/runtime/emit/onednn_internal.h"
#include "core/runtime/emit/step_key_internal.h"

namespace equant {
namespace {

/// Collects numbers and texts; floats by their bits.
class KeyWriter {
public:
    template <typename Integer>
    requires std::is_integral_v<Integer> || std::is_enum_v<Integer> KeyWriter& add(Integer value) {
        m_hasher.add(static_cast<std::int64_t>(value));
        return *this;
    }
    KeyWriter& add(float value) { return add(std::bit_cast<std::uint32_t>(value)); }
    KeyWriter& add(std::string_view text) {
        m_hasher.add(text);
        return *this;
    }
    KeyWriter& add(const Tensor& tensor) {
        add(tensor.dtype()).addAll(tensor.shape());
        m_hasher.add(tensor.bytes());
        return *this;
    }
    template <typename Values>
    KeyWriter& addAll(const Values& values) {
        add(std::size(values));
        for (const auto& value : values) add(value);
        return *this;
    }
    [[nodiscard]] std::string text() const { return m_hasher.hex(); }

private:
    Hasher m_hasher;
};

template <typename Desc>
const Desc* query(const dnnl::primitive_desc_base& descriptor, dnnl_query_t what) {
    const Desc* found = nullptr;
    const auto status = dnnl_primitive_desc_query(descriptor.get(), what, 0, static_cast<void*>(&found));
    return status == dnnl_success ? found : nullptr;
}

/// Calls `use` with the operation descriptor; false when the primitive has none of that type.
template <typename Desc, typename Use>
bool withDesc(const dnnl::primitive_desc_base& descriptor, dnnl_query_t what, const Use& use) {
    const Desc* desc = query<Desc>(descriptor, what);
    if (desc != nullptr) use(*desc);
    return desc != nullptr;
}

template <typename Desc>
void addWindow(KeyWriter& key, const Desc& desc) {
    key.add(desc.prop_kind).add(desc.alg_kind).addAll(desc.strides);
    key.addAll(desc.padding[0]).addAll(desc.padding[1]);
}

/// The parameters that are not layouts; false for kinds not known here.
bool addParameters(KeyWriter& key, const dnnl::primitive_desc_base& descriptor, dnnl_primitive_kind_t kind) {
    switch (kind) {
        case dnnl_reorder:
        case dnnl_concat:  // the axis shows in the operands
        case dnnl_matmul:
            return true;
        case dnnl_convolution:
            return withDesc<dnnl_convolution_desc_t>(descriptor, dnnl_query_convolution_d, [&](const auto& desc) {
                addWindow(key, desc);
                key.addAll(desc.dilates);
            });
        case dnnl_pooling:
            return withDesc<dnnl_pooling_desc_t>(descriptor, dnnl_query_pooling_d, [&](const auto& desc) {
                addWindow(key, desc);
                key.addAll(desc.kernel);
            });
        case dnnl_pooling_v2:
            return withDesc<dnnl_pooling_v2_desc_t>(descriptor, dnnl_query_pooling_v2_d, [&](const auto& desc) {
                addWindow(key, desc);
                key.addAll(desc.kernel).addAll(desc.dilation);
            });
        case dnnl_inner_product:
            return withDesc<dnnl_inner_product_desc_t>(descriptor, dnnl_query_inner_product_d,
                                                       [&](const auto& desc) { key.add(desc.prop_kind); });
        case dnnl_eltwise:
            return withDesc<dnnl_eltwise_desc_t>(descriptor, dnnl_query_eltwise_d, [&](const auto& desc) {
                key.add(desc.prop_kind).add(desc.alg_kind).add(desc.alpha).add(desc.beta);
            });
        case dnnl_binary:
            return withDesc<dnnl_binary_desc_t>(descriptor, dnnl_query_binary_d,
                                                [&](const auto& desc) { key.add(desc.alg_kind); });
        case dnnl_softmax:
            return withDesc<dnnl_softmax_desc_t>(descriptor, dnnl_query_softmax_d, [&](const auto& desc) {
                key.add(desc.prop_kind).add(desc.softmax_axis);
            });
        case dnnl_lrn:
            return withDesc<dnnl_lrn_desc_t>(descriptor, dnnl_query_lrn_d, [&](const auto& desc) {
                key.add(desc.prop_kind).add(desc.alg_kind).add(desc.local_size);
                key.add(desc.lrn_alpha).add(desc.lrn_beta).add(desc.lrn_k);
            });
        case dnnl_resampling:
            return withDesc<dnnl_resampling_desc_t>(descriptor, dnnl_query_resampling_d, [&](const auto& desc) {
                key.add(desc.prop_kind).add(desc.alg_kind).addAll(desc.factors);
            });
        default:
            return false;
    }
}

/// The only attributes that are set; false for kinds of post-operations it does not use.
bool addPosts(KeyWriter& key, const dnnl::primitive_desc_base& descriptor) {
    const dnnl::primitive_attr attributes = descriptor.get_primitive_attr();  // owns what get_post_ops() returns
    const dnnl::post_ops posts = attributes.get_post_ops();
    key.add(posts.len());
    for (int i = 0; i < posts.len(); ++i) {
        float scale = 0.0F, alpha = 0.0F, beta = 0.0F;
        dnnl::algorithm how = dnnl::algorithm::undef;
        dnnl::memory::desc operand;
        key.add(posts.kind(i));
        switch (posts.kind(i)) {
            case dnnl::primitive::kind::eltwise:
                posts.get_params_eltwise(i, scale, how, alpha, beta);
                key.add(how).add(scale).add(alpha).add(beta);
                break;
            case dnnl::primitive::kind::binary:
                posts.get_params_binary(i, how, operand);  // the operand is an argument of the step
                key.add(how);
                break;
            case dnnl::primitive::kind::sum:
                posts.get_params_sum(i, scale);
                key.add(scale);
                break;
            default:
                return false;
        }
    }
    return true;
}

void addGraph(KeyWriter& key, const Graph& graph);

struct AttributeWriter {
    KeyWriter& key;
    void operator()(std::monostate) const {}
    void operator()(std::int64_t value) const { key.add(value); }
    void operator()(float value) const { key.add(value); }
    void operator()(const std::string& value) const { key.add(std::string_view(value)); }
    void operator()(const Tensor& value) const { key.add(value); }
    void operator()(const std::shared_ptr<const Graph>& value) const {
        if (value) addGraph(key, *value);
    }
    template <typename T>
    void operator()(const std::vector<T>& values) const {
        key.add(values.size());
        for (const T& value : values) (*this)(value);
    }
};

void addNode(KeyWriter& key, const Node& node) {
    key.add(std::string_view(node.domain)).add(std::string_view(node.opType)).add(node.attributes.size());
    for (const Attribute& attribute : node.attributes) {
        key.add(std::string_view(attribute.name)).add(attribute.value.index());
        std::visit(AttributeWriter{key}, attribute.value);
        key.add(std::string_view(attribute.extra));
    }
}

/// Inside a subgraph names are the wiring.
void addGraph(KeyWriter& key, const Graph& graph) {
    const auto addName = [&](const std::string& text) { key.add(std::string_view(text)); };
    key.add(graph.nodes.size());
    for (const Node& node : graph.nodes) {
        addNode(key, node);
        key.add(node.inputs.size()).add(node.outputs.size());
        for (const std::string& input : node.inputs) addName(input);
        for (const std::string& output : node.outputs) addName(output);
    }
    for (const auto* values : {&graph.inputs, &graph.outputs, &graph.values}) {
        key.add(values->size());
        for (const ValueInfo& value : *values) {
            addName(value.name);
            key.add(value.dtype).add(value.shape.has_value());
            if (!value.shape) continue;
            key.add(value.shape->size());
            for (const Dim& dim : *value.shape) key.add(dim.value).add(std::string_view(dim.symbol));
        }
    }
    key.add(graph.initializers.size());
    for (const Initializer& initializer : graph.initializers) {
        addName(initializer.name);
        key.add(initializer.tensor).add(std::string_view(initializer.extra));
    }
}

}  // namespace

StepKey primitiveKey(const dnnl::primitive_desc_base& descriptor) {
    dnnl_primitive_kind_t kind = dnnl_undefined_primitive;
    if (dnnl_primitive_desc_query(descriptor.get(), dnnl_query_primitive_kind, 0, static_cast<void*>(&kind)) !=
        dnnl_success)
        return {};
    KeyWriter key;
    key.add(kind).add(std::string_view(onednn::implementation(descriptor)));
    if (!addParameters(key, descriptor, kind) || !addPosts(key, descriptor)) return {};
    return key.text();
}

StepKey kernelKey(const Node& node, std::int64_t opset) {
    KeyWriter key;
    key.add(opset);
    addNode(key, node);
    // The kernel of a control operator finds the values around it by name.
    const bool hasBody = std::any_of(node.attributes.begin(), node.attributes.end(), [](const Attribute& attribute) {
        return std::holds_alternative<std::shared_ptr<const Graph>>(attribute.value) ||
               std::holds_alternative<std::vector<std::shared_ptr<const Graph>>>(attribute.value);
    });
    if (hasBody) {
        for (const std::string& input : node.inputs) key.add(std::string_view(input));
    }
    return key.text();
}

StepKey encodingKey(const Encoding& encoding, const Shape& shape) {
    KeyWriter key;
    key.add(encoding.bits).add(encoding.isSigned).add(encoding.isSymmetric).add(encoding.isStrict).add(encoding.axis);
    key.addAll(encoding.scale).addAll(encoding.zeroPoint).add(encoding.rounding).addAll(shape);
    return key.text();
}

StepKey numbersKey(std::string_view name, std::span<const double> numbers) {
    KeyWriter key;
    key.add(name);
    for (const double number : numbers) key.add(std::bit_cast<std::int64_t>(number));
    return key.text();
}

}  // namespace equant
