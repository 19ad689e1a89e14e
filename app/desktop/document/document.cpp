// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/document/document.h"

#include <QFileInfo>
#include <algorithm>

#include "app/desktop/document/document_commands.h"
#include "app/desktop/document/keep_newest.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

namespace {

// Models share unchanged tensors, but a handful of variants is all that undo needs in practice.
constexpr std::size_t kEqualizedKept = 6;
constexpr std::size_t kQuantizationsKept = 12;

}  // namespace

const ChannelRanges* findRanges(const std::vector<ChannelRanges>& ranges, const QString& layer) {
    const auto found = std::ranges::find(ranges, toStdString(layer), &ChannelRanges::layer);
    return found == ranges.end() ? nullptr : &*found;
}

Document::Document(QObject* parent) : QObject(parent) {
    m_undoStack.setUndoLimit(500);
}

QString Document::modelName() const {
    return m_loaded ? QFileInfo(m_loaded->path).fileName() : QString();
}

const LayerInfo* Document::layer(const QString& name) const {
    if (!m_loaded) return nullptr;
    for (const auto& model : {base(), m_loaded}) {
        const auto& layers = model->inspection.layers;
        const auto found = std::ranges::find(layers, toStdString(name), &LayerInfo::name);
        if (found != layers.end()) return &*found;
    }
    return nullptr;
}

const ChannelRanges* Document::rangesBefore(const QString& name) const {
    return m_loaded ? findRanges(base()->ranges, name) : nullptr;
}

const ChannelRanges* Document::rangesAfter(const QString& name) const {
    const auto shown = shownEqualized();
    return shown ? findRanges(shown->ranges, name) : nullptr;
}

void Document::setModel(std::shared_ptr<const LoadedModel> loaded, DocumentState initial) {
    m_loaded = std::move(loaded);
    m_undoStack.clear();
    m_sweeps.clear();
    m_compressed.clear();
    m_measurements.clear();
    m_flow.reset();
    m_equalized.clear();
    m_quantizations.clear();
    m_data.reset();
    m_state = std::move(initial);
    refreshBase();
    emit modelChanged();
    emit stateChanged();
    emit planChanged();
    emit sensitivityChanged();
    emit compressedChanged();
    emit equalizedChanged();
    emit dataChanged();
    emit quantizationChanged();
}

void Document::edit(const QString& text, const std::function<void(DocumentState&)>& change, int mergeId) {
    DocumentState after = m_state;
    change(after);
    if (after == m_state) return;
    m_undoStack.push(new StateCommand(*this, m_state, std::move(after), text, mergeId));
}

void Document::setState(const DocumentState& state) {
    if (state == m_state) return;
    const bool isPlanChanged = state.plan != m_state.plan || state.suggestion != m_state.suggestion ||
                               state.compression != m_state.compression;
    // Dragging a ratio must not make every page look at everything again.
    DocumentState others = m_state;
    others.plan = state.plan;
    others.suggestion = state.suggestion;
    others.compression = state.compression;
    const bool isOnlyPlan = others == state;
    m_state = state;
    refreshBase();
    if (!isOnlyPlan) emit stateChanged();
    if (isPlanChanged) emit planChanged();
}

bool Document::isEqualizeUpToDate() const {
    const EqualizeStep* step = m_state.recipe.equalizeStep();
    return step && step->options == m_state.equalize;
}

void Document::addEqualized(std::shared_ptr<const EqualizedModel> result) {
    std::erase_if(m_equalized, [&](const auto& old) {
        return old->options == result->options && old->compressed == result->compressed;
    });
    m_equalized.push_back(std::move(result));
    keepNewest(m_equalized, kEqualizedKept);
    emit equalizedChanged();
}

void Document::setData(std::shared_ptr<const LoadedData> data) {
    m_data = std::move(data);
    emit dataChanged();
}

void Document::addQuantization(std::shared_ptr<const QuantizationResult> result) {
    m_quantizations.push_back(std::move(result));
    keepNewest(m_quantizations, kQuantizationsKept);
    emit quantizationChanged();
}

const std::shared_ptr<const LoadedModel>& Document::base() const {
    return m_base ? m_base : m_loaded;
}

bool Document::isBaseReady() const {
    return m_loaded && (!isCompressionApplied() || m_base);
}

void Document::refreshBase() {
    const CompressStep* step = m_state.recipe.compressStep();
    const auto result = step ? compressedFor(*step) : nullptr;
    m_base = result ? result->prepared : nullptr;
}

std::optional<CompressStep> Document::appliedCompression() const {
    const CompressStep* step = m_state.recipe.compressStep();
    return step ? std::optional(*step) : std::nullopt;
}

std::shared_ptr<const EqualizedModel> Document::equalizedFor(const EqualizeOptions& options) const {
    const auto compressed = appliedCompression();
    for (const auto& result : m_equalized)
        if (result->options == options && result->compressed == compressed) return result;
    return nullptr;
}

std::shared_ptr<const EqualizedModel> Document::shownEqualized() const {
    if (auto edited = equalizedFor(m_state.equalize)) return edited;
    const EqualizeStep* step = m_state.recipe.equalizeStep();
    return step ? equalizedFor(step->options) : nullptr;
}

std::shared_ptr<const LoadedData> Document::data() const {
    if (!m_data || m_data->choice.path != m_state.data.path || m_data->choice.preprocess != m_state.data.preprocess)
        return nullptr;
    return m_data;
}

bool Document::isFresh(const QuantizationResult& result) const {
    const EqualizeStep* step = m_state.recipe.equalizeStep();
    const bool isSameModel = step ? result.equalized == step->options : !result.equalized.has_value();
    return isSameModel && result.compressed == appliedCompression() && result.settings == m_state.quantization &&
           result.data == m_state.data;
}

std::shared_ptr<const QuantizationResult> Document::quantization() const {
    for (auto result = m_quantizations.rbegin(); result != m_quantizations.rend(); ++result)
        if (isFresh(**result)) return *result;
    return m_quantizations.empty() ? nullptr : m_quantizations.back();
}

bool Document::isQuantizationFresh() const {
    const auto newest = quantization();
    return newest && isFresh(*newest);
}

std::shared_ptr<const QuantizationResult> Document::otherQuantization() const {
    const auto shown = quantization();
    if (!shown) return nullptr;
    for (auto result = m_quantizations.rbegin(); result != m_quantizations.rend(); ++result) {
        const QuantizationResult& other = **result;
        if ((other.equalized != shown->equalized || other.compressed != shown->compressed) &&
            other.settings == shown->settings && other.data == shown->data)
            return *result;
    }
    return nullptr;
}

std::shared_ptr<const Model> Document::currentModel() const {
    if (!m_loaded || !isBaseReady()) return nullptr;
    const EqualizeStep* step = m_state.recipe.equalizeStep();
    if (!step) return base()->folded;
    const auto result = equalizedFor(step->options);
    return result ? result->model : nullptr;
}

StageState Document::stageState(Stage stage) const {
    if (!m_loaded) return StageState::Empty;
    switch (stage) {
        case Stage::Overview:
            return StageState::Done;
        case Stage::Ranges:
            if (!isEqualizeApplied()) return StageState::NotRun;
            return isEqualizeUpToDate() ? StageState::Done : StageState::Stale;
        case Stage::Compression:
            if (isCompressionApplied()) return isCompressionUpToDate() ? StageState::Done : StageState::Stale;
            return StageState::NotRun;
        case Stage::Quantization:
            if (!quantization()) return StageState::NotRun;
            return isQuantizationFresh() ? StageState::Done : StageState::Stale;
    }
    return StageState::Empty;
}

}  // namespace equant::ui
