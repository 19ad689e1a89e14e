// SPDX-License-Identifier: Apache-2.0
// TensorProto: values inside the message (raw or typed fields) or in an external file.
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>

#include "core/graph/onnx_proto_internal.h"

namespace equant::proto {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> corrupt(const std::string& subject, std::string message) {
    return fail(ErrorCode::Corrupt, std::move(message), "The file is damaged; export the model again.", subject);
}

struct ExternalLocation {
    std::string file;
    std::int64_t offset = 0;
    std::optional<std::int64_t> length;
};

Result<ExternalLocation> externalLocation(const onnx::TensorProto& message, const std::string& subject) {
    ExternalLocation location;
    for (const auto& entry : message.external_data()) {
        if (entry.key() == "location") location.file = entry.value();
        std::int64_t number = 0;
        const auto& text = entry.value();
        const bool isNumber = std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{};
        if (entry.key() != "offset" && entry.key() != "length") continue;
        if (!isNumber || number < 0)
            return corrupt(subject, fmt::format("Its external data have an invalid {} \"{}\".", entry.key(), text));
        if (entry.key() == "offset") location.offset = number;
        if (entry.key() == "length") location.length = number;
    }
    const fs::path file(location.file);
    const auto normal = file.lexically_normal();
    if (location.file.empty() || file.is_absolute() || (!normal.empty() && *normal.begin() == ".."))
        return corrupt(subject,
                       fmt::format("Its external data point outside the model's folder (\"{}\").", location.file));
    return location;
}

/// Whether the file is there and holds the `needed` bytes, before memory is taken for them.
Status checkExternal(const ExternalLocation& location, const ReadContext& context, const std::string& subject,
                     std::size_t needed) {
    const fs::path path = context.folder / location.file;
    std::error_code missing;
    const auto size = fs::file_size(path, missing);
    if (missing)
        return fail(ErrorCode::NotFound, fmt::format("The external data file \"{}\" is missing.", location.file),
                    "Put it beside the model, where the export wrote it.", subject);
    const auto length = location.length.value_or(static_cast<std::int64_t>(needed));
    if (static_cast<std::size_t>(length) != needed)
        return corrupt(subject, fmt::format("Its external data hold {} bytes, its shape needs {}.", length, needed));
    if (static_cast<std::uint64_t>(location.offset) + needed > size)
        return corrupt(subject, fmt::format("The external data file \"{}\" is too short.", location.file));
    return {};
}

Status readExternal(const ExternalLocation& location, const ReadContext& context, const std::string& subject,
                    std::span<std::byte> target) {
    std::ifstream in(context.folder / location.file, std::ios::binary);
    in.seekg(location.offset);
    in.read(reinterpret_cast<char*>(target.data()), static_cast<std::streamsize>(target.size()));
    if (!in)
        return fail(ErrorCode::Io, fmt::format("The external data file \"{}\" could not be read.", location.file), {},
                    subject);
    return {};
}

/// Typed fields hold one element per entry, widened to the field's type.
template <typename Element, typename Field>
bool copyTyped(const Field& field, std::span<std::byte> target) {
    if (static_cast<std::size_t>(field.size()) * sizeof(Element) != target.size()) return false;
    auto* out = reinterpret_cast<Element*>(target.data());
    for (const auto value : field) *out++ = static_cast<Element>(value);
    return true;
}

bool copyFields(const onnx::TensorProto& message, DType type, std::span<std::byte> target) {
    switch (type) {
        case DType::Float:
        case DType::Complex64:
            return copyTyped<float>(message.float_data(), target);
        case DType::Double:
        case DType::Complex128:
            return copyTyped<double>(message.double_data(), target);
        case DType::Int64:
            return copyTyped<std::int64_t>(message.int64_data(), target);
        case DType::Uint64:
            return copyTyped<std::uint64_t>(message.uint64_data(), target);
        case DType::Uint32:
            return copyTyped<std::uint32_t>(message.uint64_data(), target);
        case DType::Int32:
            return copyTyped<std::int32_t>(message.int32_data(), target);
        default:
            break;
    }
    if (bitWidth(type) == 16) return copyTyped<std::uint16_t>(message.int32_data(), target);
    return copyTyped<std::uint8_t>(message.int32_data(), target);
}

void clearModelled(onnx::TensorProto& message) {
    message.clear_dims();
    message.clear_data_type();
    message.clear_raw_data();
    message.clear_float_data();
    message.clear_int32_data();
    message.clear_int64_data();
    message.clear_double_data();
    message.clear_uint64_data();
    message.clear_external_data();
    message.clear_data_location();
}

}  // namespace

Result<Tensor> takeTensor(onnx::TensorProto& message, const ReadContext& context, const std::string& subject) {
    const auto type = static_cast<DType>(message.data_type());
    if (type != DType::String && bitWidth(type) == 0)
        return fail(ErrorCode::Unsupported, fmt::format("Its element type {} is unknown.", message.data_type()),
                    "The model may be newer than this program.", subject);
    Shape shape(message.dims().begin(), message.dims().end());
    if (const auto count = checkedElementCount(shape, type); !count) return corrupt(subject, count.error().message);
    const bool isExternal = message.data_location() == onnx::TensorProto::EXTERNAL;
    // Before allocating: a hostile shape must not ask for terabytes.
    const auto bits = static_cast<std::size_t>(elementCount(shape)) * static_cast<std::size_t>(bitWidth(type));
    ExternalLocation external;
    if (isExternal && type != DType::String) {
        auto location = externalLocation(message, subject);
        if (!location) return fail(location.error());
        external = std::move(*location);
        if (auto checked = checkExternal(external, context, subject, (bits + 7) / 8); !checked)
            return fail(checked.error());
    } else if (type != DType::String) {
        const std::size_t held = message.has_raw_data() ? message.raw_data().size() : message.ByteSizeLong() * 16;
        if (message.has_raw_data() ? held != (bits + 7) / 8 : held < bits / 8)
            return corrupt(subject, fmt::format("Its data do not match its shape {} of type {} ({} bytes needed).",
                                                toString(shape), name(type), (bits + 7) / 8));
    }
    Tensor tensor(type, std::move(shape));
    if (type != DType::String) {
        const auto target = tensor.mutableBytes();
        if (isExternal) {
            if (auto read = readExternal(external, context, subject, target); !read) return fail(read.error());
        } else if (message.has_raw_data()) {
            if (!target.empty()) std::memcpy(target.data(), message.raw_data().data(), target.size());
        } else if (!copyFields(message, type, target)) {
            return corrupt(subject, fmt::format("Its data do not match its shape {} of type {}.",
                                                toString(tensor.shape()), name(type)));
        }
    }
    clearModelled(message);
    return tensor;
}

void putTensor(const Tensor& tensor, onnx::TensorProto& message) {
    clearModelled(message);
    message.set_data_type(static_cast<std::int32_t>(tensor.dtype()));
    for (const auto dim : tensor.shape()) message.add_dims(dim);
    if (tensor.dtype() != DType::String) message.set_raw_data(tensor.bytes().data(), tensor.sizeBytes());
}

}  // namespace equant::proto
