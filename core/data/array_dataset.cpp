// SPDX-License-Identifier: Apache-2.0
// Samples in .npy and .npz files. An .npy file is read row by row when asked for; an .npz is held in memory.
#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <map>

#include "core/base/hash.h"
#include "core/data/dataset_internal.h"
#include "core/data/image_input_internal.h"
#include "core/data/npy.h"
#include "core/data/npy_header_internal.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

/// One array whose rows along axis 0 are samples: in memory, or in a file.
struct Rows {
    Shape shape;    ///< samples first
    Tensor memory;  ///< empty when in the file
    NpyHeader header;
    fs::path path;

    [[nodiscard]] Result<Tensor> row(std::size_t index) const {
        if (!memory.isEmpty()) return rowOf(memory, static_cast<std::int64_t>(index));
        const Shape rowShape(shape.begin() + 1, shape.end());
        std::string bytes(static_cast<std::size_t>(elementCount(rowShape)) * header.itemBytes, '\0');
        std::ifstream in(path, std::ios::binary);
        in.seekg(static_cast<std::streamoff>(header.dataOffset + index * bytes.size()));
        if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
            return fail(ErrorCode::Io, "The array could not be read.", "Was the file changed meanwhile?",
                        path.string());
        return npyValues(header, rowShape, bytes);
    }
};

/// The file's array, left on disk where its layout allows.
Result<Rows> openNpy(const fs::path& path) {
    constexpr std::size_t kHeaderBytes = 1 << 16;
    std::ifstream in(path, std::ios::binary);
    std::string start(kHeaderBytes, '\0');
    in.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    auto header = parseNpyHeader(start, path.string());
    if (!header) return fail(header.error());
    if (fs::file_size(path) < header->dataOffset + header->dataBytes || header->isFortranOrder) {
        auto whole = readNpy(path);  // also tells what is missing
        if (!whole) return fail(whole.error());
        return Rows{whole->shape(), std::move(*whole), {}, path};
    }
    return Rows{header->shape, {}, *header, path};
}

/// Turns the array's shape into (samples, one sample's shape) as the input declares it: an axis of samples in front,
/// or none (one sample), or one more (samples that bring their own batch axis of 1).
Status alignSamples(Rows& rows, const ValueInfo& input, const std::string& subject) {
    const auto setShape = [&](Shape shape) {
        if (!rows.memory.isEmpty()) rows.memory = rows.memory.reshaped(shape);
        rows.shape = std::move(shape);
    };
    const std::span<const std::int64_t> shape(rows.shape);
    if (!input.shape || input.shape->empty()) {
        if (!shape.empty()) return {};
    } else {
        const auto sample = std::span<const Dim>(*input.shape).subspan(1);
        if (!shape.empty() && fitsShape(shape.subspan(1), sample)) return {};
        if (fitsShape(shape, sample)) {
            Shape one(shape.begin(), shape.end());
            one.insert(one.begin(), 1);
            setShape(std::move(one));
            return {};
        }
        if (shape.size() > 2 && shape[1] == 1 && fitsShape(shape.subspan(2), sample)) {
            Shape squeezed(shape.begin(), shape.end());
            squeezed.erase(squeezed.begin() + 1);
            setShape(std::move(squeezed));
            return {};
        }
    }
    return fail(ErrorCode::InvalidArgument,
                fmt::format("The array's shape {} does not fit the input \"{}\" ({}).", toString(rows.shape),
                            input.name, shapeText(input)),
                "Arrays hold the samples along their first axis, each shaped as the model takes it.", subject);
}

class ArrayDataset final : public Dataset {
public:
    struct Parts {
        fs::path path;
        std::vector<Rows> inputs;
        std::vector<DType> dtypes;
        std::vector<Rows> expected;
        std::vector<std::optional<std::int64_t>> labels;  ///< of all samples
        std::vector<std::size_t> chosen;
    };
    explicit ArrayDataset(Parts parts) : m(std::move(parts)) {}

    [[nodiscard]] std::size_t size() const override { return m.chosen.size(); }
    [[nodiscard]] std::string sampleName(std::size_t i) const override { return fmt::format("#{}", m.chosen[i]); }
    [[nodiscard]] bool hasLabels() const override { return m.labels.front().has_value(); }
    [[nodiscard]] std::optional<std::int64_t> label(std::size_t i) const override { return m.labels[m.chosen[i]]; }

    [[nodiscard]] Result<Sample> load(std::size_t i) const override {
        if (i >= size()) return fail(ErrorCode::OutOfRange, fmt::format("There is no sample {}.", i));
        const std::size_t row = m.chosen[i];
        Sample sample;
        for (std::size_t k = 0; k < m.inputs.size(); ++k) {
            const auto values = m.inputs[k].row(row);
            if (!values) return fail(values.error());
            auto input = asInput(*values, m.dtypes[k], m.path.string());
            if (!input) return fail(input.error());
            sample.inputs.push_back(std::move(*input));
        }
        for (const auto& rows : m.expected) {
            auto values = rows.row(row);
            if (!values) return fail(values.error());
            sample.expected.push_back(std::move(*values));
        }
        sample.label = m.labels[row];
        return sample;
    }

    [[nodiscard]] std::string describe() const override {
        return fmt::format("{} sample{} of {}, {}", size(), size() == 1 ? "" : "s", m.path.filename().string(),
                           hasLabels() ? "labelled" : "no labels");
    }

    [[nodiscard]] std::string fingerprint() const override {
        Hasher hash;
        for (const std::size_t index : m.chosen) hash.add(static_cast<std::int64_t>(index));
        std::ifstream in(m.path, std::ios::binary);
        std::string piece(1 << 20, '\0');
        while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0)
            hash.add(std::string_view(piece.data(), static_cast<std::size_t>(in.gcount())));
        return hash.hex();
    }

private:
    Parts m;
};

Status takeLabels(const Tensor& array, std::optional<std::int64_t> classes, const std::string& subject,
                  ArrayDataset::Parts& parts) {
    if (array.count() != static_cast<std::int64_t>(parts.labels.size()))
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("There are {} labels for {} samples.", array.count(), parts.labels.size()),
                    "\"labels\" holds one class number per sample.", subject);
    const auto numbers = asInput(array, DType::Int64, subject);
    if (!numbers) return fail(numbers.error());
    for (std::size_t i = 0; i < parts.labels.size(); ++i) {
        const std::int64_t label = numbers->data<std::int64_t>()[i];
        if (auto checked = checkLabel(label, classes, fmt::format("{} (label of sample {})", subject, i)); !checked)
            return checked;
        parts.labels[i] = label;
    }
    return {};
}

/// The arrays of an .npz for the model's inputs, by name; a lone array may have any name.
Result<std::vector<Tensor>> matchInputs(std::map<std::string, Tensor>& arrays,
                                        const std::vector<const ValueInfo*>& inputs, const std::string& subject) {
    std::vector<Tensor> matched;
    std::string others;
    for (const auto& [key, array] : arrays)
        if (key != "labels") others += (others.empty() ? "" : ", ") + key;
    const std::size_t candidates = arrays.size() - arrays.count("labels");
    for (const auto* input : inputs) {
        auto found = arrays.find(input->name);
        if (found == arrays.end() && inputs.size() == 1 && candidates == 1)
            found = std::find_if(arrays.begin(), arrays.end(), [](const auto& a) { return a.first != "labels"; });
        if (found == arrays.end())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("There is no array for the model's input \"{}\"; the file has: {}.", input->name,
                                    others.empty() ? "none" : others),
                        "Name the arrays as the model's inputs, plus \"labels\".", subject);
        matched.push_back(found->second);
    }
    return matched;
}

}  // namespace

Result<OpenedDataset> openArrays(const fs::path& path, const Model& model, const DatasetOptions& options) {
    const auto inputs = model.graph.requiredInputs();
    const std::string subject = path.string();
    ArrayDataset::Parts parts;
    parts.path = path;
    std::map<std::string, Tensor> arrays;
    if (path.extension() == ".npy") {
        if (inputs.size() != 1)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The model takes {} inputs, not one array.", inputs.size()),
                        "Give an .npz file with one array per input.", subject);
        auto rows = openNpy(path);
        if (!rows) return fail(rows.error());
        parts.inputs.push_back(std::move(*rows));
    } else {
        auto read = readNpz(path);
        if (!read) return fail(read.error());
        arrays = std::move(*read);
        auto matched = matchInputs(arrays, inputs, subject);
        if (!matched) return fail(matched.error());
        for (auto& tensor : *matched) parts.inputs.push_back(Rows{tensor.shape(), tensor, {}, path});
    }
    for (std::size_t k = 0; k < inputs.size(); ++k) {
        parts.dtypes.push_back(inputs[k]->dtype);
        if (auto aligned = alignSamples(parts.inputs[k], *inputs[k], subject); !aligned) return fail(aligned.error());
        if (parts.inputs[k].shape.front() != parts.inputs.front().shape.front())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The arrays of \"{}\" and \"{}\" hold different numbers of samples.",
                                    inputs[0]->name, inputs[k]->name),
                        {}, subject);
    }
    if (parts.inputs.empty() || parts.inputs.front().shape.front() == 0)
        return fail(ErrorCode::InvalidArgument, "There are no samples in this file.", {}, subject);
    const std::int64_t samples = parts.inputs.front().shape.front();
    parts.labels.resize(static_cast<std::size_t>(samples));
    if (const auto found = arrays.find("labels"); found != arrays.end())
        if (auto taken = takeLabels(found->second, classCount(model), subject, parts); !taken)
            return fail(taken.error());
    for (const auto& output : model.graph.outputs)
        if (const auto found = arrays.find(output.name);
            found != arrays.end() && found->second.rank() > 0 && found->second.dim(0) == samples)
            parts.expected.push_back(Rows{found->second.shape(), found->second, {}, path});
    if (parts.expected.size() != model.graph.outputs.size()) parts.expected.clear();

    // Unlabelled arrays have no classes to be spread over: the first rows are what a user expects of a limit.
    const bool isSpread = options.isSpread && parts.labels.front().has_value();
    const auto chosen = selectSamples(parts.labels, options, isSpread);
    if (!chosen) return fail(chosen.error());
    parts.chosen = *chosen;
    return OpenedDataset{std::make_shared<ArrayDataset>(std::move(parts)), {}};
}

}  // namespace equant
