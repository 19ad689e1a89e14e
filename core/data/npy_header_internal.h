// SPDX-License-Identifier: Apache-2.0
// The header of an .npy file, so that large arrays can be read row by row. Private to core/data; pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/graph/tensor.h"

namespace equant {

struct NpyHeader {
    DType dtype = DType::Undefined;
    Shape shape;
    bool isFortranOrder = false;
    bool isBigEndian = false;
    std::size_t itemBytes = 0;
    std::size_t dataOffset = 0;  ///< bytes before the values
    std::size_t dataBytes = 0;   ///< of all values
};

/// Parses the start of a file; a few KiB are enough. Corrupt, Unsupported (structured, string and complex types).
Result<NpyHeader> parseNpyHeader(std::string_view start, const std::string& subject);

/// Values as stored (exactly `itemBytes` per element of `shape`) to a tensor in native byte order.
Tensor npyValues(const NpyHeader& header, const Shape& shape, std::string_view bytes);

}  // namespace equant
