// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy (format 1.0 to 3.0) and .npz (zip, stored or deflated) files.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/graph/tensor.h"

namespace equant {

/// Little-endian and native types; Fortran order is transposed. Corrupt / Unsupported name the file.
Result<Tensor> readNpy(const std::filesystem::path& path);
Result<Tensor> parseNpy(std::string_view bytes, const std::string& subject);
Result<std::map<std::string, Tensor>> readNpz(const std::filesystem::path& path);
Status writeNpy(const Tensor& tensor, const std::filesystem::path& path);

}  // namespace equant
