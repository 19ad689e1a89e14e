// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/document.h"

#include <QFileInfo>
#include <algorithm>

#include "app/desktop/document_commands.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

namespace {

// Models share unchanged tensors, but a handful of variants is all that undo needs in practice.
constexpr std::size_t kEqualizedKept = 6;
constexpr std::size_t kQuantizationsKept = 12;

template <typename T>
void keepNewest(std::vector<T>& values, std::size_t count) {
    if (values.size() > count) values.erase(values.begin(), values.end() - static_cast<std::ptrdiff_t>(count));
}

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
    const auto& layers = m_loaded->inspection.layers;
    const auto found = std::ranges::find(layers, toStdString(name), &LayerInfo::name);
    return found == layers.end() ? nullptr : &*found;
}

const ChannelRanges* Document::rangesBefore(const QString& name) const {
    return m_loaded ? findRanges(m_loaded->ranges, name) : nullptr;
}

const ChannelRanges* Document::rangesAfter(const QString& name) const {
    const auto shown = shownEqualized();
    return shown ? findRanges(shown->ranges, name) : nullptr;
}

void Document::setModel(std::shared_ptr<const LoadedModel> loaded, DocumentState initial) {
    m_loaded = std::move(loaded);
    m_undoStack.clear();
    m_equalized.clear();
    m_quantizations.clear();
    m_data.reset();
    m_state = std::move(initial);
    emit modelChanged();
    emit stateChanged();
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
    m_state = state;
    emit stateChanged();
}

bool Document::isEqualizeUpToDate() const {
    const EqualizeStep* step = m_state.recipe.equalizeStep();
    return step && step->options == m_state.equalize;
}

void Document::addEqualized(std::shared_ptr<const EqualizedModel> result) {
    std::erase_if(m_equalized, [&](const auto& old) { return old->options == result->options; });
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

std::shared_ptr<const EqualizedModel> Document::equalizedFor(const EqualizeOptions& options) const {
    for (const auto& result : m_equalized)
        if (result->options == options) return result;
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
    return isSameModel && result.settings == m_state.quantization && result.data == m_state.data;
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
        if (other.equalized != shown->equalized && other.settings == shown->settings && other.data == shown->data)
            return *result;
    }
    return nullptr;
}

std::shared_ptr<const Model> Document::currentModel() const {
    if (!m_loaded) return nullptr;
    const EqualizeStep* step = m_state.recipe.equalizeStep();
    if (!step) return m_loaded->folded;
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
        case Stage::Quantization:
            if (!quantization()) return StageState::NotRun;
            return isQuantizationFresh() ? StageState::Done : StageState::Stale;
    }
    return StageState::Empty;
}

}  // namespace equant::ui
