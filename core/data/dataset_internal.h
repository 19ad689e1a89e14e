// SPDX-License-Identifier: Apache-2.0
// The kinds of data set behind openDataset(), and what they share. Private to core/data.
#pragma once

#include "core/data/dataset.h"

namespace equant {

Result<OpenedDataset> openImages(const std::filesystem::path& path, const Model& model, const DatasetOptions& options);
Result<OpenedDataset> openArrays(const std::filesystem::path& path, const Model& model, const DatasetOptions& options);
Result<OpenedDataset> openTestData(const std::filesystem::path& folder, const Model& model,
                                   const DatasetOptions& options);

/// Whether a folder holds test_data_set_* folders, or is one.
[[nodiscard]] bool isTestData(const std::filesystem::path& folder);

/// Which samples offset and limit choose, in rising order. `classes` gives each sample's class (or nothing).
/// With `isSpread` every stretch of the order they are taken in has each class about equally often, so that different
/// offsets give disjoint and equally representative samples. OutOfRange when the offset leaves none.
Result<std::vector<std::size_t>> selectSamples(std::span<const std::optional<std::int64_t>> classes,
                                               const DatasetOptions& options, bool isSpread);

/// Classes the model's first output tells apart ([N,C] or [N,C,1,1] with C > 1), when declared.
[[nodiscard]] std::optional<std::int64_t> classCount(const Model& model);

/// InvalidArgument when the label is not one of the model's classes. `subject` names the sample.
Status checkLabel(std::int64_t label, std::optional<std::int64_t> classes, const std::string& subject);

/// Row `index` along axis 0, without that axis.
[[nodiscard]] Tensor rowOf(const Tensor& tensor, std::int64_t index);

/// Whether a shape fits declared dimensions; free dimensions take anything.
[[nodiscard]] bool fitsShape(std::span<const std::int64_t> shape, std::span<const Dim> declared);

/// Values as the model's input wants them. InvalidArgument when that would lose fractions.
Result<Tensor> asInput(const Tensor& values, DType dtype, const std::string& subject);

}  // namespace equant
