// SPDX-License-Identifier: Apache-2.0
#include "core/recipe/data_options.h"

namespace equant {

Result<std::shared_ptr<const Dataset>> openSamples(const SampleChoice& choice, const Model& model) {
    if (choice.path.empty()) return nullptr;
    DatasetOptions options;
    options.preprocess = choice.preprocess;
    options.limit = choice.limit;
    options.offset = choice.offset;
    auto opened = openDataset(choice.path, model, options);
    if (!opened) return fail(opened.error());
    return opened->dataset;
}

Result<std::shared_ptr<const Dataset>> openSamples(const std::string& path, const Model& model,
                                                   const std::string& preprocess, std::size_t limit) {
    if (path.empty())
        return fail(ErrorCode::InvalidArgument, "No samples are named.", "Choose an image folder or an .npy file.");
    return openSamples({path, preprocess, limit, 0}, model);
}

}  // namespace equant
