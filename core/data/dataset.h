// SPDX-License-Identifier: Apache-2.0
// Samples to evaluate, calibrate and search on. A Dataset knows how many there are and loads any of them on demand,
// from several threads at once; it never holds more than it was asked for, so memory does not grow with its size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/data/preprocess.h"

namespace equant {

/// One sample: a tensor per model input (in the model's order, no batch dimension) and what is known of it.
struct Sample {
    std::vector<Tensor> inputs;
    std::optional<std::int64_t> label;
    std::vector<Tensor> expected;  ///< reference outputs (ONNX test_data_set folders), else empty
};

class Dataset {
public:
    virtual ~Dataset() = default;
    [[nodiscard]] virtual std::size_t size() const = 0;
    /// Thread-safe. Corrupt / Io name the file.
    [[nodiscard]] virtual Result<Sample> load(std::size_t index) const = 0;
    /// File name or "#index": what to call the sample in messages.
    [[nodiscard]] virtual std::string sampleName(std::size_t index) const = 0;
    [[nodiscard]] virtual bool hasLabels() const = 0;
    [[nodiscard]] virtual std::optional<std::int64_t> label(std::size_t index) const = 0;
    [[nodiscard]] virtual std::vector<std::string> classNames() const { return {}; }
    /// The file an image sample comes from; empty for arrays.
    [[nodiscard]] virtual std::filesystem::path imagePath(std::size_t) const { return {}; }
    [[nodiscard]] virtual std::string describe() const = 0;  ///< one line for people
    /// Hash over file names, sizes and times (images) or contents (arrays), preprocessing included: a cache key.
    [[nodiscard]] virtual std::string fingerprint() const = 0;
};

struct DatasetOptions {
    std::string preprocess;  ///< preset or file; empty: chosen from the model
    std::size_t offset = 0;
    std::size_t limit = 0;  ///< 0: all
    /// With a limit, take samples evenly over a class-sorted folder rather than its first classes only.
    bool isSpread = true;
};

struct OpenedDataset {
    std::shared_ptr<const Dataset> dataset;
    PreprocessingChoice preprocessing;  ///< meaningless for arrays
};

/// Opens an image folder (class sub-folders, or labels.csv with filename,label[,class_name], or plain images), an
/// .npy / .npz file (arrays by input name; "labels" in the npz), or a folder of ONNX test_data_set_*.
/// NotFound, InvalidArgument (empty, labels that do not match, shapes that do not fit the model).
Result<OpenedDataset> openDataset(const std::filesystem::path& path, const Model& model, const DatasetOptions& options);

/// Samples stacked into batch tensors, one per model input. All samples must have equal shapes.
Result<std::vector<Tensor>> stackSamples(std::span<const Sample> samples);

}  // namespace equant
