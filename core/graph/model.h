// SPDX-License-Identifier: Apache-2.0
// An ONNX model as plain values: what an .onnx file says, nothing lost, nothing interpreted.
// Everything is copyable; tensors and subgraphs are shared between copies and never modified through them.
// What this structure does not model (future fields, training info, quantization annotations ...) is carried along
// in `extra` members as serialized protobuf, and written back unchanged.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/graph/tensor.h"

namespace equant {

struct Graph;

/// One dimension of a declared shape: a number, a symbol such as "N", or unknown (-1, "").
struct Dim {
    std::int64_t value = -1;
    std::string symbol;
    friend bool operator==(const Dim&, const Dim&) = default;
};

/// A declared graph input, output or intermediate value.
struct ValueInfo {
    std::string name;
    DType dtype = DType::Undefined;         ///< Undefined: not a tensor (sequence, map, optional)
    std::optional<std::vector<Dim>> shape;  ///< absent: rank unknown
    std::string extra;
};

/// An attribute's value; monostate: a kind kept only in Attribute::extra (sparse tensor, type, reference).
using AttributeValue =
    std::variant<std::monostate, std::int64_t, float, std::string, Tensor, std::shared_ptr<const Graph>,
                 std::vector<std::int64_t>, std::vector<float>, std::vector<std::string>, std::vector<Tensor>,
                 std::vector<std::shared_ptr<const Graph>>>;

struct Attribute {
    std::string name;
    AttributeValue value;
    std::string extra;
};

/// One operator. Empty strings in inputs and outputs stand for omitted optional ones.
struct Node {
    std::string name;
    std::string opType;
    std::string domain;  ///< "" is ai.onnx
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    std::vector<Attribute> attributes;
    std::string extra;  ///< doc string and fields of newer IR versions

    [[nodiscard]] bool is(std::string_view type) const { return domain.empty() && opType == type; }
    [[nodiscard]] bool hasInput(std::size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
    [[nodiscard]] const Attribute* attribute(std::string_view key) const;

    // Typed access; the fallback is returned when the attribute is absent or of another kind.
    [[nodiscard]] std::int64_t intAttribute(std::string_view key, std::int64_t fallback) const;
    [[nodiscard]] float floatAttribute(std::string_view key, float fallback) const;
    [[nodiscard]] std::string stringAttribute(std::string_view key, std::string_view fallback) const;
    [[nodiscard]] std::vector<std::int64_t> intsAttribute(std::string_view key,
                                                          std::vector<std::int64_t> fallback = {}) const;
    [[nodiscard]] std::vector<float> floatsAttribute(std::string_view key) const;
    [[nodiscard]] const Tensor* tensorAttribute(std::string_view key) const;
    void setAttribute(std::string_view key, AttributeValue value);  ///< replaces or appends
    void removeAttribute(std::string_view key);

    /// How the user knows this layer: the node's name, or its first output's where it has none.
    [[nodiscard]] const std::string& label() const;
};

struct Initializer {
    std::string name;
    Tensor tensor;
    std::string extra;  ///< doc string; the whole tensor when it is of a kind we keep opaque (strings)
};

struct Graph {
    std::string name;
    std::vector<Node> nodes;  ///< as in the file: topologically sorted if the file obeys the specification
    std::vector<ValueInfo> inputs;
    std::vector<ValueInfo> outputs;
    std::vector<ValueInfo> values;  ///< declared types of intermediate values
    std::vector<Initializer> initializers;
    std::string extra;

    [[nodiscard]] const Initializer* initializer(std::string_view initializerName) const;
    [[nodiscard]] Initializer* initializer(std::string_view initializerName);
    [[nodiscard]] const Node* nodeByLabel(std::string_view label) const;
    /// Inputs that a caller must feed: declared inputs that are not initializers.
    [[nodiscard]] std::vector<const ValueInfo*> requiredInputs() const;
};

struct Model {
    std::int64_t irVersion = 8;
    std::map<std::string, std::int64_t> opsets;  ///< by domain, "" is ai.onnx
    std::string producerName;
    std::string producerVersion;
    std::vector<std::pair<std::string, std::string>> metadata;
    Graph graph;
    std::string extra;                     ///< doc string, domain, version, functions, training info ...
    std::vector<std::string> functionIds;  ///< "domain:name" of model-local functions (bodies are in extra)

    [[nodiscard]] std::int64_t opset() const;  ///< of ai.onnx; 1 when absent
    [[nodiscard]] std::string metadataValue(std::string_view key) const;
    void setMetadata(std::string_view key, std::string value);
};

}  // namespace equant
