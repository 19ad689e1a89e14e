// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/graph/onnx_proto_internal.h"

namespace equant::proto {

namespace {

std::vector<std::string> strings(const google::protobuf::RepeatedPtrField<std::string>& field) {
    return {field.begin(), field.end()};
}

// --- ValueInfoProto ---------------------------------------------------------------------------------------------

ValueInfo takeValueInfo(onnx::ValueInfoProto& message) {
    ValueInfo info;
    info.name = message.name();
    message.clear_name();
    if (message.type().has_tensor_type()) {
        const auto& type = message.type().tensor_type();
        info.dtype = static_cast<DType>(type.elem_type());
        if (type.has_shape()) {
            info.shape.emplace();
            for (const auto& dim : type.shape().dim())
                info.shape->push_back({dim.has_dim_value() ? dim.dim_value() : -1, dim.dim_param()});
        }
    }
    info.extra = message.SerializeAsString();
    return info;
}

void putValueInfo(const ValueInfo& info, onnx::ValueInfoProto& message) {
    message.ParseFromString(info.extra);
    message.set_name(info.name);
    if (info.dtype == DType::Undefined) return;
    auto& type = *message.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<std::int32_t>(info.dtype));
    if (!info.shape) {
        type.clear_shape();
        return;
    }
    auto& dims = *type.mutable_shape()->mutable_dim();
    while (dims.size() > static_cast<int>(info.shape->size())) dims.RemoveLast();
    for (std::size_t i = 0; i < info.shape->size(); ++i) {
        const Dim& dim = (*info.shape)[i];
        auto& target = static_cast<int>(i) < dims.size() ? dims[static_cast<int>(i)] : *dims.Add();
        target.clear_dim_value();
        target.clear_dim_param();
        if (dim.value >= 0) {
            target.set_dim_value(dim.value);
        } else if (!dim.symbol.empty()) {
            target.set_dim_param(dim.symbol);
        }
    }
}

// --- AttributeProto ---------------------------------------------------------------------------------------------

Result<AttributeValue> takeValue(onnx::AttributeProto& message, const ReadContext& context, const std::string& owner) {
    const std::string subject = owner + "." + message.name();
    switch (message.type()) {
        case onnx::AttributeProto::INT:
            return message.i();
        case onnx::AttributeProto::FLOAT:
            return message.f();
        case onnx::AttributeProto::STRING:
            return message.s();
        case onnx::AttributeProto::INTS:
            return std::vector<std::int64_t>(message.ints().begin(), message.ints().end());
        case onnx::AttributeProto::FLOATS:
            return std::vector<float>(message.floats().begin(), message.floats().end());
        case onnx::AttributeProto::STRINGS:
            return strings(message.strings());
        case onnx::AttributeProto::TENSOR: {
            auto tensor = takeTensor(*message.mutable_t(), context, subject);
            if (!tensor) return fail(tensor.error());
            return std::move(*tensor);
        }
        case onnx::AttributeProto::TENSORS: {
            std::vector<Tensor> tensors;
            for (auto& item : *message.mutable_tensors()) {
                auto tensor = takeTensor(item, context, subject);
                if (!tensor) return fail(tensor.error());
                tensors.push_back(std::move(*tensor));
            }
            return tensors;
        }
        case onnx::AttributeProto::GRAPH: {
            auto graph = takeGraph(*message.mutable_g(), context);
            if (!graph) return fail(graph.error());
            return std::make_shared<const Graph>(std::move(*graph));
        }
        case onnx::AttributeProto::GRAPHS: {
            std::vector<std::shared_ptr<const Graph>> graphs;
            for (auto& item : *message.mutable_graphs()) {
                auto graph = takeGraph(item, context);
                if (!graph) return fail(graph.error());
                graphs.push_back(std::make_shared<const Graph>(std::move(*graph)));
            }
            return graphs;
        }
        default:
            return std::monostate{};
    }
}

/// Files of IR version 1 leave the kind out; it follows from the field that is set.
void settleType(onnx::AttributeProto& message) {
    if (message.type() != onnx::AttributeProto::UNDEFINED) return;
    using Proto = onnx::AttributeProto;
    if (message.has_f())
        message.set_type(Proto::FLOAT);
    else if (message.has_i())
        message.set_type(Proto::INT);
    else if (message.has_s())
        message.set_type(Proto::STRING);
    else if (message.has_t())
        message.set_type(Proto::TENSOR);
    else if (message.has_g())
        message.set_type(Proto::GRAPH);
    else if (message.floats_size() > 0)
        message.set_type(Proto::FLOATS);
    else if (message.ints_size() > 0)
        message.set_type(Proto::INTS);
    else if (message.strings_size() > 0)
        message.set_type(Proto::STRINGS);
}

Result<Attribute> takeAttribute(onnx::AttributeProto& message, const ReadContext& context, const std::string& owner) {
    settleType(message);
    Attribute attribute;
    attribute.name = message.name();
    auto value = takeValue(message, context, owner);
    if (!value) return fail(value.error());
    attribute.value = std::move(*value);
    message.clear_name();
    if (!std::holds_alternative<std::monostate>(attribute.value)) {
        message.clear_type();
        message.clear_i();
        message.clear_f();
        message.clear_s();
        message.clear_g();
        message.clear_ints();
        message.clear_floats();
        message.clear_strings();
        message.clear_graphs();
    }
    attribute.extra = message.SerializeAsString();
    return attribute;
}

struct AttributeWriter {
    onnx::AttributeProto& message;

    void operator()(std::monostate) const {}
    void operator()(std::int64_t value) const {
        message.set_type(onnx::AttributeProto::INT);
        message.set_i(value);
    }
    void operator()(float value) const {
        message.set_type(onnx::AttributeProto::FLOAT);
        message.set_f(value);
    }
    void operator()(const std::string& value) const {
        message.set_type(onnx::AttributeProto::STRING);
        message.set_s(value);
    }
    void operator()(const Tensor& value) const {
        message.set_type(onnx::AttributeProto::TENSOR);
        putTensor(value, *message.mutable_t());
    }
    void operator()(const std::shared_ptr<const Graph>& value) const {
        message.set_type(onnx::AttributeProto::GRAPH);
        putGraph(*value, *message.mutable_g());
    }
    void operator()(const std::vector<std::int64_t>& value) const {
        message.set_type(onnx::AttributeProto::INTS);
        message.mutable_ints()->Assign(value.begin(), value.end());
    }
    void operator()(const std::vector<float>& value) const {
        message.set_type(onnx::AttributeProto::FLOATS);
        message.mutable_floats()->Assign(value.begin(), value.end());
    }
    void operator()(const std::vector<std::string>& value) const {
        message.set_type(onnx::AttributeProto::STRINGS);
        message.mutable_strings()->Assign(value.begin(), value.end());
    }
    void operator()(const std::vector<Tensor>& value) const {
        message.set_type(onnx::AttributeProto::TENSORS);
        for (std::size_t i = 0; i < value.size(); ++i) {
            const bool exists = static_cast<int>(i) < message.tensors_size();
            putTensor(value[i], exists ? *message.mutable_tensors(static_cast<int>(i)) : *message.add_tensors());
        }
    }
    void operator()(const std::vector<std::shared_ptr<const Graph>>& value) const {
        message.set_type(onnx::AttributeProto::GRAPHS);
        for (const auto& graph : value) putGraph(*graph, *message.add_graphs());
    }
};

// --- NodeProto --------------------------------------------------------------------------------------------------

Result<Node> takeNode(onnx::NodeProto& message, const ReadContext& context) {
    Node node;
    node.name = message.name();
    node.opType = message.op_type();
    node.domain = message.domain() == "ai.onnx" ? std::string() : message.domain();
    node.inputs = strings(message.input());
    node.outputs = strings(message.output());
    for (auto& item : *message.mutable_attribute()) {
        auto attribute = takeAttribute(item, context, node.label());
        if (!attribute) return fail(attribute.error());
        node.attributes.push_back(std::move(*attribute));
    }
    message.clear_name();
    message.clear_op_type();
    message.clear_domain();
    message.clear_input();
    message.clear_output();
    message.clear_attribute();
    node.extra = message.SerializeAsString();
    return node;
}

void putNode(const Node& node, onnx::NodeProto& message) {
    message.ParseFromString(node.extra);
    if (!node.name.empty()) message.set_name(node.name);
    message.set_op_type(node.opType);
    if (!node.domain.empty()) message.set_domain(node.domain);
    message.mutable_input()->Assign(node.inputs.begin(), node.inputs.end());
    message.mutable_output()->Assign(node.outputs.begin(), node.outputs.end());
    for (const auto& attribute : node.attributes) {
        auto& target = *message.add_attribute();
        target.ParseFromString(attribute.extra);
        target.set_name(attribute.name);
        std::visit(AttributeWriter{target}, attribute.value);
    }
}

}  // namespace

// --- GraphProto -------------------------------------------------------------------------------------------------

Result<Graph> takeGraph(onnx::GraphProto& message, const ReadContext& context) {
    Graph graph;
    graph.name = message.name();
    for (auto& item : *message.mutable_node()) {
        auto node = takeNode(item, context);
        if (!node) return fail(node.error());
        graph.nodes.push_back(std::move(*node));
    }
    for (auto& item : *message.mutable_initializer()) {
        auto tensor = takeTensor(item, context, item.name());
        if (!tensor) return fail(tensor.error());
        std::string initializerName = item.name();
        item.clear_name();
        graph.initializers.push_back({std::move(initializerName), std::move(*tensor), item.SerializeAsString()});
    }
    for (auto& item : *message.mutable_input()) graph.inputs.push_back(takeValueInfo(item));
    for (auto& item : *message.mutable_output()) graph.outputs.push_back(takeValueInfo(item));
    for (auto& item : *message.mutable_value_info()) graph.values.push_back(takeValueInfo(item));
    message.clear_name();
    message.clear_node();
    message.clear_initializer();
    message.clear_input();
    message.clear_output();
    message.clear_value_info();
    graph.extra = message.SerializeAsString();
    return graph;
}

void putGraph(const Graph& graph, onnx::GraphProto& message) {
    message.ParseFromString(graph.extra);
    message.set_name(graph.name);
    for (const auto& node : graph.nodes) putNode(node, *message.add_node());
    for (const auto& initializer : graph.initializers) {
        auto& target = *message.add_initializer();
        target.ParseFromString(initializer.extra);
        target.set_name(initializer.name);
        putTensor(initializer.tensor, target);
    }
    for (const auto& input : graph.inputs) putValueInfo(input, *message.add_input());
    for (const auto& output : graph.outputs) putValueInfo(output, *message.add_output());
    for (const auto& value : graph.values) putValueInfo(value, *message.add_value_info());
}

// --- ModelProto -------------------------------------------------------------------------------------------------

Result<Model> takeModel(onnx::ModelProto& message, const ReadContext& context) {
    Model model;
    model.irVersion = message.ir_version();
    model.producerName = message.producer_name();
    model.producerVersion = message.producer_version();
    for (const auto& opset : message.opset_import())
        model.opsets[opset.domain() == "ai.onnx" ? std::string() : opset.domain()] = opset.version();
    for (const auto& entry : message.metadata_props()) model.metadata.emplace_back(entry.key(), entry.value());
    for (const auto& function : message.functions())
        model.functionIds.push_back(fmt::format("{}:{}", function.domain(), function.name()));
    auto graph = takeGraph(*message.mutable_graph(), context);
    if (!graph) return fail(graph.error());
    model.graph = std::move(*graph);
    message.clear_ir_version();
    message.clear_producer_name();
    message.clear_producer_version();
    message.clear_opset_import();
    message.clear_metadata_props();
    message.clear_graph();
    model.extra = message.SerializeAsString();
    return model;
}

void putModel(const Model& model, onnx::ModelProto& message) {
    message.ParseFromString(model.extra);
    message.set_ir_version(model.irVersion);
    message.set_producer_name(model.producerName);
    message.set_producer_version(model.producerVersion);
    for (const auto& [domain, version] : model.opsets) {
        auto& opset = *message.add_opset_import();
        opset.set_domain(domain);
        opset.set_version(version);
    }
    for (const auto& [key, value] : model.metadata) {
        auto& entry = *message.add_metadata_props();
        entry.set_key(key);
        entry.set_value(value);
    }
    putGraph(model.graph, *message.mutable_graph());
}

}  // namespace equant::proto
