// SPDX-License-Identifier: Apache-2.0
// What a model's image input looks like. Private to core/data; pure functions.
#pragma once

#include "core/graph/model.h"

namespace equant {

struct ImageInput {
    std::string name;
    DType dtype = DType::Float;
    bool isChannelsLast = false;
    int channels = 3;
    int height = 0;  ///< 0: free
    int width = 0;   ///< 0: free
};

/// The model's one required input, when it is a batch of images (N x C x H x W or N x H x W x C with 1 or 3 channels).
/// InvalidArgument otherwise.
Result<ImageInput> findImageInput(const Model& model);

/// "Nx3x224x224"; "any shape" when the rank is not declared.
[[nodiscard]] std::string shapeText(const ValueInfo& value);

}  // namespace equant
