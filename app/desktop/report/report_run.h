// SPDX-License-Identifier: GPL-3.0-or-later
// Carries out a recipe as the window would, step by step, into a document: what the report without a window does.
#pragma once

#include "app/desktop/document/document.h"

namespace equant::ui {

struct ReportRequest {
    QString modelPath;
    Recipe recipe;
    DataChoice data;
    bool replacesNamedData = true;  ///< DataOptions::replacesNamed
    /// Sensitivities to show (docs/formats/compression.md); empty: predicted from the samples of a compression.
    QString sensitivityPath;
    /// Quantize also without the equalization of the recipe, to compare with.
    bool shouldCompare = true;
    /// Measure the latency of a compressed network.
    bool shouldTime = true;
};

/// Fills `document` on the calling (GUI) thread, which it blocks; `say` is told every step before it begins.
/// What cannot work is refused before the work begins, as prepareRecipe() says; then what the steps themselves say.
Status runRecipe(const ReportRequest& request, Document& document, const std::function<void(const QString&)>& say,
                 const JobContext& job);

/// "model.preprocess.json" beside "model.onnx" counts unless the model itself says how it wants its input.
QString preprocessingBeside(const LoadedModel& loaded);

}  // namespace equant::ui
