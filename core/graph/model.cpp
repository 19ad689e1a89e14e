// SPDX-License-Identifier: Apache-2.0
#include "core/graph/model.h"

#include <algorithm>

namespace equant {

namespace {

template <typename T>
const T* valueOf(const Node& node, std::string_view key) {
    const Attribute* attribute = node.attribute(key);
    return attribute ? std::get_if<T>(&attribute->value) : nullptr;
}

template <typename Range>
auto* findByName(Range& range, std::string_view wanted) {
    const auto found = std::ranges::find(range, wanted, [](const auto& item) -> std::string_view { return item.name; });
    return found == range.end() ? nullptr : &*found;
}

}  // namespace

const Attribute* Node::attribute(std::string_view key) const {
    return findByName(attributes, key);
}

std::int64_t Node::intAttribute(std::string_view key, std::int64_t fallback) const {
    const auto* value = valueOf<std::int64_t>(*this, key);
    return value ? *value : fallback;
}

float Node::floatAttribute(std::string_view key, float fallback) const {
    const auto* value = valueOf<float>(*this, key);
    return value ? *value : fallback;
}

std::string Node::stringAttribute(std::string_view key, std::string_view fallback) const {
    const auto* value = valueOf<std::string>(*this, key);
    return value ? *value : std::string(fallback);
}

std::vector<std::int64_t> Node::intsAttribute(std::string_view key, std::vector<std::int64_t> fallback) const {
    const auto* value = valueOf<std::vector<std::int64_t>>(*this, key);
    return value ? *value : std::move(fallback);
}

std::vector<float> Node::floatsAttribute(std::string_view key) const {
    const auto* value = valueOf<std::vector<float>>(*this, key);
    return value ? *value : std::vector<float>{};
}

const Tensor* Node::tensorAttribute(std::string_view key) const {
    return valueOf<Tensor>(*this, key);
}

void Node::setAttribute(std::string_view key, AttributeValue value) {
    if (auto* existing = findByName(attributes, key)) {
        existing->value = std::move(value);
        existing->extra.clear();
    } else {
        attributes.push_back({std::string(key), std::move(value), {}});
    }
}

void Node::removeAttribute(std::string_view key) {
    std::erase_if(attributes, [&](const Attribute& attribute) { return attribute.name == key; });
}

const std::string& Node::label() const {
    if (!name.empty() || outputs.empty()) return name;
    const auto named = std::ranges::find_if(outputs, [](const std::string& output) { return !output.empty(); });
    return named == outputs.end() ? name : *named;
}

const Initializer* Graph::initializer(std::string_view initializerName) const {
    return findByName(initializers, initializerName);
}

Initializer* Graph::initializer(std::string_view initializerName) {
    return findByName(initializers, initializerName);
}

const Node* Graph::nodeByLabel(std::string_view label) const {
    const auto found =
        std::ranges::find(nodes, label, [](const Node& node) -> std::string_view { return node.label(); });
    return found == nodes.end() ? nullptr : &*found;
}

std::vector<const ValueInfo*> Graph::requiredInputs() const {
    std::vector<const ValueInfo*> required;
    for (const auto& input : inputs)
        if (!initializer(input.name)) required.push_back(&input);
    return required;
}

std::int64_t Model::opset() const {
    const auto found = opsets.find("");
    return found == opsets.end() ? 1 : found->second;
}

std::string Model::metadataValue(std::string_view key) const {
    const auto found =
        std::ranges::find(metadata, key, [](const auto& entry) -> std::string_view { return entry.first; });
    return found == metadata.end() ? std::string() : found->second;
}

void Model::setMetadata(std::string_view key, std::string value) {
    for (auto& [existing, content] : metadata)
        if (existing == key) {
            content = std::move(value);
            return;
        }
    metadata.emplace_back(key, std::move(value));
}

}  // namespace equant
