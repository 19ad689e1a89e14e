// SPDX-License-Identifier: Apache-2.0
#include "core/graph/onnx_io.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <limits>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/graph/onnx_proto_internal.h"
#include "core/graph/topology.h"

namespace equant {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kProtobufLimit = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kAutoExternalBytes = 1'900'000'000;  // leaves room for the structure around the weights
constexpr std::size_t kExternalThresholdBytes = 1024;

Error withSubject(Error error, const fs::path& path) {
    error.subject = error.subject.empty() ? path.string() : fmt::format("{} ({})", path.string(), error.subject);
    return error;
}

template <typename Message>
bool parseQuietly(Message& message, std::string_view bytes) {
    const google::protobuf::LogSilencer silencer;
    return bytes.size() <= kProtobufLimit && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

std::size_t weightBytes(const Model& model) {
    std::size_t total = 0;
    for (const auto& initializer : model.graph.initializers) total += initializer.tensor.sizeBytes();
    return total;
}

/// Moves the large initializers of `message` to `dataName`; `offsets` receives where each went.
struct ExternalLayout {
    std::vector<std::size_t> initializers;
    std::vector<std::size_t> offsets;
};

ExternalLayout moveOut(const Graph& graph, onnx::GraphProto& message, const std::string& dataName) {
    constexpr std::size_t kAlignment = 4096;  // lets readers map tensors directly
    ExternalLayout layout;
    std::size_t end = 0;
    for (std::size_t i = 0; i < graph.initializers.size(); ++i) {
        const std::size_t size = graph.initializers[i].tensor.sizeBytes();
        if (size < kExternalThresholdBytes) continue;
        const std::size_t offset = (end + kAlignment - 1) / kAlignment * kAlignment;
        end = offset + size;
        layout.initializers.push_back(i);
        layout.offsets.push_back(offset);
        auto& tensor = *message.mutable_initializer(static_cast<int>(i));
        tensor.clear_raw_data();
        tensor.set_data_location(onnx::TensorProto::EXTERNAL);
        const auto addEntry = [&](const char* key, const std::string& value) {
            auto& entry = *tensor.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        };
        addEntry("location", dataName);
        addEntry("offset", std::to_string(offset));
        addEntry("length", std::to_string(size));
    }
    return layout;
}

Status writeExternalFile(const Graph& graph, const ExternalLayout& layout, const fs::path& path) {
    return writeFileAtomic(path, [&](std::ostream& out) {
        std::size_t position = 0;
        for (std::size_t i = 0; i < layout.initializers.size(); ++i) {
            const std::string padding(layout.offsets[i] - position, '\0');
            const auto bytes = graph.initializers[layout.initializers[i]].tensor.bytes();
            out.write(padding.data(), static_cast<std::streamsize>(padding.size()));
            out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
            position = layout.offsets[i] + bytes.size();
        }
    });
}

/// putModel without the weights' bytes, which for large models do not fit one message.
onnx::ModelProto structureOf(const Model& model) {
    Model light = model;
    for (auto& initializer : light.graph.initializers)
        if (initializer.tensor.sizeBytes() >= kExternalThresholdBytes)
            initializer.tensor = Tensor(DType::Undefined, initializer.tensor.shape());
    onnx::ModelProto message;
    proto::putModel(light, message);
    for (std::size_t i = 0; i < model.graph.initializers.size(); ++i)
        message.mutable_graph()
            ->mutable_initializer(static_cast<int>(i))
            ->set_data_type(static_cast<std::int32_t>(model.graph.initializers[i].tensor.dtype()));
    return message;
}

}  // namespace

Result<Model> parseOnnx(std::string_view bytes, const fs::path& folder) {
    if (bytes.empty()) return fail(ErrorCode::Corrupt, "The file is empty.", "Export the model again.");
    if (bytes.size() > kProtobufLimit)
        return fail(ErrorCode::Unsupported, "The file is larger than 2 GB, more than the format allows in one piece.",
                    "Export the model with external data.");
    onnx::ModelProto message;
    if (!parseQuietly(message, bytes)) {
        // Every exporter writes the IR version first: field 1, a varint.
        if (bytes.front() == '\x08')
            return fail(ErrorCode::Corrupt, "The ONNX file is truncated or damaged.", "Copy or export it again.");
        return fail(ErrorCode::Corrupt, "This is not an ONNX model.", "Choose a file that ends in .onnx.");
    }
    if (!message.has_graph() || (message.graph().node_size() == 0 && message.graph().output_size() == 0))
        return fail(ErrorCode::Corrupt, "The file holds no network.",
                    "It may not be an ONNX model, or its export failed.");
    auto model = proto::takeModel(message, {folder});
    if (!model) return model;
    if (auto topology = Topology::of(model->graph); !topology) return fail(topology.error());
    return model;
}

Result<Model> readOnnx(const fs::path& path) {
    auto bytes = readFile(path);
    if (!bytes) return fail(bytes.error());
    auto model = parseOnnx(*bytes, path.parent_path());
    if (!model) return fail(withSubject(model.error(), path));
    return model;
}

Status writeOnnx(const Model& model, const fs::path& path, ExternalData external) {
    if (external == ExternalData::Auto && weightBytes(model) < kAutoExternalBytes) {
        const auto bytes = serializeOnnx(model);
        if (!bytes) return fail(bytes.error());
        return writeFileAtomic(path, *bytes);
    }
    fs::path dataPath = path;
    dataPath += ".data";
    onnx::ModelProto message = structureOf(model);
    const auto layout = moveOut(model.graph, *message.mutable_graph(), dataPath.filename().string());
    std::string bytes;
    if (!message.SerializeToString(&bytes))
        return fail(ErrorCode::Unsupported, "The model's structure alone exceeds 2 GB.", {}, path.string());
    if (auto written = writeExternalFile(model.graph, layout, dataPath); !written) return written;
    return writeFileAtomic(path, bytes);
}

Result<std::string> serializeOnnx(const Model& model) {
    if (weightBytes(model) > kProtobufLimit)
        return fail(ErrorCode::Unsupported, "The model is larger than 2 GB.", "Write it with external data.");
    onnx::ModelProto message;
    proto::putModel(model, message);
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return fail(ErrorCode::Internal, "The model could not be serialized.");
    return bytes;
}

Result<Tensor> parseTensorProto(std::string_view bytes) {
    onnx::TensorProto message;
    if (!parseQuietly(message, bytes)) return fail(ErrorCode::Corrupt, "This is not a serialized ONNX tensor.");
    return proto::takeTensor(message, {}, message.name());
}

std::string contentHash(const Model& model) {
    Hasher hasher;
    hasher.add(structureOf(model).SerializeAsString());
    for (const auto& initializer : model.graph.initializers) hasher.add(initializer.tensor.bytes());
    return hasher.hex();
}

}  // namespace equant
