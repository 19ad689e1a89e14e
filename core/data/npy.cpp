// SPDX-License-Identifier: Apache-2.0
// NumPy's array files, by the format description of numpy.lib.format (versions 1.0 to 3.0).
#include "core/data/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <numeric>
#include <optional>
#include <zip.h>

#include "core/base/file.h"
#include "core/data/npy_header_internal.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kHeaderAlignment = 64;

struct NpyType {
    DType dtype;
    std::string_view code;
};
constexpr std::array<NpyType, 12> kTypes{{{DType::Float, "f4"},
                                          {DType::Double, "f8"},
                                          {DType::Float16, "f2"},
                                          {DType::Uint8, "u1"},
                                          {DType::Int8, "i1"},
                                          {DType::Uint16, "u2"},
                                          {DType::Int16, "i2"},
                                          {DType::Int32, "i4"},
                                          {DType::Uint32, "u4"},
                                          {DType::Int64, "i8"},
                                          {DType::Uint64, "u8"},
                                          {DType::Bool, "b1"}}};

tl::unexpected<Error> corrupt(const std::string& what, const std::string& subject) {
    return fail(ErrorCode::Corrupt, "This is not a whole .npy array: " + what + ".", "Save it again with numpy.save.",
                subject);
}

std::size_t littleEndian(std::string_view bytes) {
    std::size_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

/// The text after `'key':` in the header's Python dictionary.
std::optional<std::string_view> entry(std::string_view dictionary, std::string_view key) {
    for (const char quote : {'\'', '"'}) {
        const auto at = dictionary.find(fmt::format("{}{}{}", quote, key, quote));
        if (at == std::string_view::npos) continue;
        auto rest = dictionary.substr(at + key.size() + 2);
        const auto value = rest.find_first_not_of(" :");
        if (value != std::string_view::npos) return rest.substr(value);
    }
    return std::nullopt;
}

std::optional<Shape> parseShape(std::string_view text) {
    if (!text.starts_with('(')) return std::nullopt;
    Shape shape;
    const char* at = text.data() + 1;
    const char* end = text.data() + text.size();
    while (at < end && *at != ')') {
        if (*at == ' ' || *at == ',' || *at == 'L') {
            ++at;
            continue;
        }
        std::int64_t dim = 0;
        const auto [next, error] = std::from_chars(at, end, dim);
        if (error != std::errc{} || dim < 0) return std::nullopt;
        shape.push_back(dim);
        at = next;
    }
    if (at == end) return std::nullopt;
    return shape;
}

Status parseDescription(std::string_view text, const std::string& subject, NpyHeader& header) {
    const auto unsupported = [&] {
        return fail(ErrorCode::Unsupported,
                    fmt::format("The array's element type ({}) is not a plain number type.", text.substr(0, 24)),
                    "Convert it, for example with array.astype(\"float32\").", subject);
    };
    if (text.size() < 5 || (text[0] != '\'' && text[0] != '"')) return unsupported();
    const auto close = text.find(text[0], 1);
    if (close == std::string_view::npos) return unsupported();
    text = text.substr(1, close - 1);
    if (text.size() < 3) return unsupported();
    header.isBigEndian = text[0] == '>';
    const auto* known =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.code == text.substr(1); });
    if (known == kTypes.end()) return unsupported();
    header.dtype = known->dtype;
    header.itemBytes = static_cast<std::size_t>(bitWidth(header.dtype)) / 8;
    return {};
}

struct ZipCloser {
    void operator()(zip_t* archive) const { zip_discard(archive); }
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};

Result<std::string> readEntry(zip_t* archive, zip_uint64_t index, const std::string& subject) {
    const std::unique_ptr<zip_file_t, ZipCloser> file(zip_fopen_index(archive, index, 0));
    std::string bytes;
    if (file) {
        // Grown piece by piece: the size that a damaged archive declares is not to be believed.
        std::vector<char> piece(1 << 20);
        zip_int64_t count = 0;
        while ((count = zip_fread(file.get(), piece.data(), piece.size())) > 0)
            bytes.append(piece.data(), static_cast<std::size_t>(count));
        if (count == 0) return bytes;
    }
    return fail(ErrorCode::Corrupt, "This array of the .npz file is damaged.", "Save it again with numpy.savez.",
                subject);
}

}  // namespace

Result<NpyHeader> parseNpyHeader(std::string_view start, const std::string& subject) {
    if (!start.starts_with(kMagic) || start.size() < 12) return corrupt("its first bytes are not NumPy's", subject);
    const int version = start[6];
    if (version < 1 || version > 3)
        return fail(ErrorCode::Unsupported, fmt::format("The .npy format version {} is unknown.", version),
                    "Save it with a version of NumPy that writes format 1.0 to 3.0.", subject);
    const std::size_t lengthBytes = version == 1 ? 2 : 4;
    const std::size_t length = littleEndian(start.substr(8, lengthBytes));
    const std::size_t begin = 8 + lengthBytes;
    if (length > start.size() - begin) return corrupt("its header is cut off", subject);
    const auto dictionary = start.substr(begin, length);

    NpyHeader header;
    const auto description = entry(dictionary, "descr");
    const auto order = entry(dictionary, "fortran_order");
    const auto shapeText = entry(dictionary, "shape");
    if (!description || !order || !shapeText) return corrupt("its header lacks a field", subject);
    if (auto parsed = parseDescription(*description, subject, header); !parsed) return fail(parsed.error());
    const auto shape = parseShape(*shapeText);
    if (!shape) return corrupt("its shape is malformed", subject);
    header.shape = *shape;
    header.isFortranOrder = order->starts_with("True");
    header.dataOffset = begin + length;
    const auto count = checkedElementCount(header.shape, header.dtype);
    if (!count) return corrupt("its shape is too large", subject);
    header.dataBytes = static_cast<std::size_t>(*count) * header.itemBytes;
    return header;
}

Tensor npyValues(const NpyHeader& header, const Shape& shape, std::string_view bytes) {
    Tensor tensor(header.dtype, shape);
    auto target = tensor.mutableBytes();
    if (!target.empty()) std::memcpy(target.data(), bytes.data(), target.size());
    if (header.isBigEndian && header.itemBytes > 1)
        for (std::size_t i = 0; i < target.size(); i += header.itemBytes)
            std::reverse(target.begin() + static_cast<std::ptrdiff_t>(i),
                         target.begin() + static_cast<std::ptrdiff_t>(i + header.itemBytes));
    return tensor;
}

Result<Tensor> parseNpy(std::string_view bytes, const std::string& subject) {
    const auto header = parseNpyHeader(bytes, subject);
    if (!header) return fail(header.error());
    if (bytes.size() - header->dataOffset < header->dataBytes)
        return corrupt(
            fmt::format("{} bytes of values are missing", header->dataBytes - (bytes.size() - header->dataOffset)),
            subject);
    const auto values = bytes.substr(header->dataOffset);
    if (!header->isFortranOrder || header->shape.size() < 2) return npyValues(*header, header->shape, values);
    const Shape reversed(header->shape.rbegin(), header->shape.rend());
    std::vector<std::int64_t> backwards(reversed.size());
    std::iota(backwards.rbegin(), backwards.rend(), 0);
    return npyValues(*header, reversed, values).transposed(backwards);
}

Result<Tensor> readNpy(const fs::path& path) {
    const auto bytes = readFile(path);
    if (!bytes) return fail(bytes.error());
    return parseNpy(*bytes, path.string());
}

Result<std::map<std::string, Tensor>> readNpz(const fs::path& path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored))
        return fail(ErrorCode::NotFound, "There is no such file.", "Check the path.", path.string());
    int code = 0;
    const std::unique_ptr<zip_t, ZipCloser> archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (!archive) {
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        std::string message =
            fmt::format("The .npz file could not be opened as a zip archive ({}).", zip_error_strerror(&why));
        zip_error_fini(&why);
        return fail(ErrorCode::Corrupt, std::move(message), "Save it again with numpy.savez.", path.string());
    }
    std::map<std::string, Tensor> arrays;
    const auto entries = static_cast<zip_uint64_t>(std::max<zip_int64_t>(zip_get_num_entries(archive.get(), 0), 0));
    for (zip_uint64_t i = 0; i < entries; ++i) {
        const char* rawName = zip_get_name(archive.get(), i, 0);
        std::string name = rawName ? rawName : "";
        if (!name.ends_with(".npy")) continue;
        const std::string subject = fmt::format("{} ({})", path.string(), name);
        name.resize(name.size() - 4);
        const auto bytes = readEntry(archive.get(), i, subject);
        if (!bytes) return fail(bytes.error());
        auto tensor = parseNpy(*bytes, subject);
        if (!tensor) return fail(tensor.error());
        arrays.insert_or_assign(std::move(name), std::move(*tensor));
    }
    return arrays;
}

Status writeNpy(const Tensor& tensor, const fs::path& path) {
    if (tensor.dtype() == DType::Bfloat16) {  // NumPy has no such type
        const auto wide = tensor.converted(DType::Float);
        if (!wide) return fail(wide.error());
        return writeNpy(*wide, path);
    }
    const auto* type =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.dtype == tensor.dtype(); });
    if (type == kTypes.end())
        return fail(ErrorCode::Unsupported, fmt::format("NumPy has no element type {}.", name(tensor.dtype())), {},
                    path.string());
    std::string shape;
    for (const auto dim : tensor.shape()) shape += fmt::format("{},{}", dim, tensor.rank() > 1 ? " " : "");
    if (tensor.rank() > 1) shape.resize(shape.size() - 2);
    const char order = bitWidth(tensor.dtype()) == 8 ? '|' : '<';
    std::string header =
        fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", order, type->code, shape);
    const std::size_t prefix = kMagic.size() + 4;
    header.resize((prefix + header.size() + kHeaderAlignment) / kHeaderAlignment * kHeaderAlignment - prefix - 1, ' ');
    header += '\n';
    return writeFileAtomic(path, [&](std::ostream& out) {
        out << kMagic << '\x01' << '\0' << static_cast<char>(header.size() & 0xFF)
            << static_cast<char>(header.size() >> 8) << header;
        const auto bytes = tensor.bytes();
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    });
}

}  // namespace equant
