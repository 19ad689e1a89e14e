// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/quantize_jobs.h"

#include "app/desktop/jobs/engine_calls.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

void QuantizeJobs::resume() {
    if (m_isPending && m_context.document().currentModel()) run();
}

void QuantizeJobs::reset() {
    m_isPending = false;
    if (m_job) m_job->cancel();
}

void QuantizeJobs::run() {
    m_isPending = false;
    if (!m_context.document().hasModel()) return;
    if (m_context.document().state().data.path.isEmpty())
        return m_context.report(tr("Quantizing"),
                                Error{ErrorCode::InvalidArgument,
                                      "Calibration needs data, and none is chosen.",
                                      "Choose an image folder, an .npy file or ONNX test data under \"Data\".",
                                      {}});
    const auto model = m_context.document().currentModel();
    if (!model) {
        m_isPending = true;  // continues when the compressed and equalized model is there
        emit modelNeeded();
        return;
    }
    start(model);
}

void QuantizeJobs::start(std::shared_ptr<const Model> model) {
    const DocumentState& state = m_context.document().state();
    const EqualizeStep* step = state.recipe.equalizeStep();
    const CompressStep* first = state.recipe.compressStep();
    const auto compressed = first ? std::optional(*first) : std::nullopt;
    QuantizeRequest request{std::move(model),
                            m_context.document().loaded()->model,
                            state.quantization,
                            state.data,
                            step ? std::optional(step->options) : std::nullopt,
                            compressed};
    m_job = m_context.jobs().start<QuantizationResult>(
        this, u"quantize"_s, tr("Simulate quantization"),
        [request](const JobContext& context) { return simulateQuantization(request, context); },
        [this](std::shared_ptr<const QuantizationResult> result) {
            m_context.document().addQuantization(std::move(result));
            emit finished();
        },
        [this](const Error& error) { m_context.report(tr("Quantizing"), error); });
}

}  // namespace equant::ui
