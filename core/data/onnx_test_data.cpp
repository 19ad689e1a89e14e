// SPDX-License-Identifier: Apache-2.0
// The folders that ONNX models are published with: test_data_set_<k>/input_<i>.pb and output_<i>.pb, serialized
// TensorProtos in the order of the graph's inputs and outputs.
#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/data/dataset_internal.h"
#include "core/data/image_input_internal.h"
#include "core/graph/onnx_io.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kSetPrefix = "test_data_set_";

Result<Tensor> readTensorProto(const fs::path& path) {
    const auto bytes = readFile(path);
    if (!bytes) return fail(bytes.error());
    auto tensor = parseTensorProto(*bytes);
    if (!tensor) {
        Error error = tensor.error();
        error.subject = path.string();
        return fail(std::move(error));
    }
    return tensor;
}

struct TestSet {
    fs::path folder;
    std::vector<fs::path> inputs;
    std::vector<fs::path> outputs;
    std::int64_t samples = 0;
};

std::vector<fs::path> numbered(const fs::path& folder, const char* kind) {
    std::vector<fs::path> files;
    for (std::size_t i = 0;; ++i) {
        fs::path file = folder / fmt::format("{}_{}.pb", kind, i);
        if (!fs::exists(file)) return files;
        files.push_back(std::move(file));
    }
}

/// test_data_set_2 before test_data_set_10.
std::int64_t setNumber(const fs::path& folder) {
    const std::string text = folder.filename().string();
    std::int64_t number = -1;
    if (text.size() > kSetPrefix.size())
        std::from_chars(text.data() + kSetPrefix.size(), text.data() + text.size(), number);
    return number;
}

std::vector<fs::path> setFolders(const fs::path& folder) {
    std::vector<fs::path> folders;
    if (fs::exists(folder / "input_0.pb")) return {folder};
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.is_directory() && entry.path().filename().string().starts_with(kSetPrefix))
            folders.push_back(entry.path());
    std::sort(folders.begin(), folders.end(), [](const fs::path& a, const fs::path& b) {
        const auto left = setNumber(a);
        const auto right = setNumber(b);
        return left != right ? left < right : a < b;
    });
    return folders;
}

/// Checks one set against the model and counts its samples: the batch that all its tensors share.
Result<TestSet> examine(const fs::path& folder, const Model& model) {
    const auto declared = model.graph.requiredInputs();
    TestSet set{folder, numbered(folder, "input"), numbered(folder, "output"), 0};
    if (set.inputs.size() != declared.size())
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("There are {} input files for a model with {} inputs.", set.inputs.size(), declared.size()),
            "Each set holds input_0.pb, input_1.pb and so on.", folder.string());
    if (set.outputs.size() != model.graph.outputs.size()) set.outputs.clear();
    for (std::size_t k = 0; k < set.inputs.size() + set.outputs.size(); ++k) {
        const bool isInput = k < set.inputs.size();
        const fs::path& path = isInput ? set.inputs[k] : set.outputs[k - set.inputs.size()];
        const auto tensor = readTensorProto(path);
        if (!tensor) return fail(tensor.error());
        if (isInput && declared[k]->shape && !declared[k]->shape->empty() &&
            (tensor->rank() == 0 ||
             !fitsShape(std::span(tensor->shape()).subspan(1), std::span(*declared[k]->shape).subspan(1))))
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("The tensor's shape {} does not fit the input \"{}\" ({}).",
                                    toString(tensor->shape()), declared[k]->name, shapeText(*declared[k])),
                        {}, path.string());
        const std::int64_t batch = tensor->rank() > 0 && bitWidth(tensor->dtype()) % 8 == 0 ? tensor->dim(0) : 0;
        if (k == 0) set.samples = batch;
        if (batch == set.samples && batch > 0) continue;
        if (!isInput) {  // outputs such as detections have no batch axis: go without them
            set.outputs.clear();
            break;
        }
        return fail(ErrorCode::Unsupported, "The tensors of this set have no common batch axis.",
                    "All inputs must have the samples along their first axis.", path.string());
    }
    return set;
}

class TestDataset final : public Dataset {
public:
    struct Row {
        std::size_t set;
        std::int64_t row;
    };
    TestDataset(std::vector<TestSet> sets, std::vector<Row> rows, std::vector<DType> dtypes)
        : m_sets(std::move(sets)), m_rows(std::move(rows)), m_dtypes(std::move(dtypes)) {}

    [[nodiscard]] std::size_t size() const override { return m_rows.size(); }
    [[nodiscard]] bool hasLabels() const override { return false; }
    [[nodiscard]] std::optional<std::int64_t> label(std::size_t) const override { return std::nullopt; }
    [[nodiscard]] std::string sampleName(std::size_t i) const override {
        const TestSet& set = m_sets[m_rows[i].set];
        const std::string folder = set.folder.filename().string();
        return set.samples == 1 ? folder : fmt::format("{}#{}", folder, m_rows[i].row);
    }

    [[nodiscard]] Result<Sample> load(std::size_t i) const override {
        if (i >= size()) return fail(ErrorCode::OutOfRange, fmt::format("There is no sample {}.", i));
        const TestSet& set = m_sets[m_rows[i].set];
        Sample sample;
        for (std::size_t k = 0; k < set.inputs.size(); ++k) {
            auto row = readRow(set.inputs[k], set, m_rows[i].row);
            if (!row) return fail(row.error());
            row = asInput(*row, m_dtypes[k], set.inputs[k].string());
            if (!row) return fail(row.error());
            sample.inputs.push_back(std::move(*row));
        }
        for (const auto& path : set.outputs) {
            auto row = readRow(path, set, m_rows[i].row);
            if (!row) return fail(row.error());
            sample.expected.push_back(std::move(*row));
        }
        return sample;
    }

    [[nodiscard]] std::string describe() const override {
        return fmt::format("{} sample{} of {} ONNX test data set{}", size(), size() == 1 ? "" : "s", m_sets.size(),
                           m_sets.size() == 1 ? "" : "s");
    }

    [[nodiscard]] std::string fingerprint() const override {
        Hasher hash;
        for (const auto& row : m_rows) hash.add(static_cast<std::int64_t>(row.set)).add(row.row);
        for (const auto& set : m_sets)
            for (const auto& path : set.inputs) hash.add(readFile(path).value_or(std::string()));
        return hash.hex();
    }

private:
    static Result<Tensor> readRow(const fs::path& path, const TestSet& set, std::int64_t row) {
        const auto tensor = readTensorProto(path);
        if (!tensor) return fail(tensor.error());
        if (tensor->rank() == 0 || tensor->dim(0) != set.samples)
            return fail(ErrorCode::Io, "The file was changed since it was opened.", "Open the data again.",
                        path.string());
        return rowOf(*tensor, row);
    }

    std::vector<TestSet> m_sets;
    std::vector<Row> m_rows;
    std::vector<DType> m_dtypes;
};

}  // namespace

bool isTestData(const fs::path& folder) {
    return !setFolders(folder).empty();
}

Result<OpenedDataset> openTestData(const fs::path& folder, const Model& model, const DatasetOptions& options) {
    std::vector<TestSet> sets;
    std::vector<TestDataset::Row> all;
    for (const auto& path : setFolders(folder)) {
        auto set = examine(path, model);
        if (!set) return fail(set.error());
        for (std::int64_t row = 0; row < set->samples; ++row) all.push_back({sets.size(), row});
        sets.push_back(std::move(*set));
    }
    const auto chosen = selectSamples(std::vector<std::optional<std::int64_t>>(all.size()), options, false);
    if (!chosen) return fail(chosen.error());
    std::vector<TestDataset::Row> rows;
    for (const std::size_t i : *chosen) rows.push_back(all[i]);
    std::vector<DType> dtypes;
    for (const auto* input : model.graph.requiredInputs()) dtypes.push_back(input->dtype);
    return OpenedDataset{std::make_shared<TestDataset>(std::move(sets), std::move(rows), std::move(dtypes)), {}};
}

}  // namespace equant
