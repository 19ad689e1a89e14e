// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression/plan_editor.h"

#include <QLocale>
#include <QMenu>
#include <algorithm>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/jobs/session.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

const CompressionPlan& PlanEditor::plan() const {
    return m_dragged ? *m_dragged : m_session.document().state().plan;
}

void PlanEditor::setRatios(const QList<plots::RatioChange>& changes, bool isFinished,
                           std::optional<CompressionMethod> method) {
    if (!m_view) return;
    const DocumentState& state = m_session.document().state();
    if (!m_dragged) m_dragged = state.plan;
    QString text;
    for (const plots::RatioChange& change : changes) {
        const LayerChoice* before = m_dragged->find(toStdString(change.key));
        if (before && before->isLocked) continue;
        // A method that was chosen stays; a layer that was left alone takes the best one.
        const auto kept = method ? method : before && before->ratio < 1 ? std::optional(before->method) : std::nullopt;
        const auto choice = m_view->choice(change.key, change.ratio, state.compression, kept);
        if (!choice) continue;
        setChoice(*m_dragged, *choice);
        emit ratioMoved(change.key, change.ratio);
        text = tr("%1 to %2 %").arg(shortName(change.key), QLocale().toString(100 * change.ratio, 'f', 0));
    }
    if (!isFinished) return emit dragged();
    commit(changes.size() > 1 ? tr("Ratios of %n layer(s)", nullptr, static_cast<int>(changes.size())) : text);
}

void PlanEditor::commit(const QString& text) {
    if (!m_dragged) return;
    const CompressionPlan edited = *std::exchange(m_dragged, std::nullopt);
    if (edited == m_session.document().state().plan) return emit settled();
    m_session.document().edit(text, [&](DocumentState& state) { state.plan = edited; });
}

void PlanEditor::setMethod(const QStringList& layers, int method) {
    if (!m_view) return;
    const DocumentState& state = m_session.document().state();
    CompressionPlan edited = state.plan;
    int changed = 0;
    for (const QString& layer : layers) {
        const LayerChoice* before = edited.find(toStdString(layer));
        if (before && before->isLocked && layers.size() > 1) continue;
        if (method < 0) {
            setChoice(edited, {toStdString(layer), CompressionMethod::SpatialSvd, 1.0, 0, false});
            ++changed;
            continue;
        }
        const auto wanted = static_cast<CompressionMethod>(method);
        const auto known = m_view->methods(layer);
        if (std::ranges::find(known, wanted) == known.end()) continue;
        const double ratio = before && before->ratio < 1 ? before->ratio : state.compression.share;
        if (auto choice = m_view->choice(layer, ratio, state.compression, wanted)) {
            choice->isLocked = before && before->isLocked;
            setChoice(edited, *choice);
            ++changed;
        }
    }
    const QString how = method < 0 ? QString() : methodText(static_cast<CompressionMethod>(method));
    const QString one = shortName(layers.value(0));
    m_session.document().edit(layers.size() > 1 ? (method < 0 ? tr("Do not compress %n layer(s)", nullptr, changed)
                                                              : tr("%n layer(s) by %1", nullptr, changed).arg(how))
                              : method < 0      ? tr("Do not compress %1").arg(one)
                                                : tr("%1 by %2").arg(one, how),
                              [&](DocumentState& next) { next.plan = edited; });
    emit settled();
}

/// A method that the sensitivities do not know yet is predicted too; what was measured stays.
void PlanEditor::tryMethod(CompressionMethod method) {
    std::vector<CompressionMethod> methods = m_session.document().state().compression.methods;
    if (std::ranges::find(methods, method) == methods.end()) methods.push_back(method);
    std::ranges::sort(methods);
    m_session.document().edit(tr("Try %1").arg(methodText(method)),
                              [&](DocumentState& state) { state.compression.methods = methods; });
    if (!m_session.document().isSensitivityFresh()) m_session.predictSensitivity();
}

QMenu* PlanEditor::createLayerMenu(const QStringList& layers, QWidget* parent) {
    if (!m_view || layers.isEmpty()) return nullptr;
    auto* menu = new QMenu(parent);
    menu->setToolTipsVisible(true);
    bool canAny = false;
    for (const CompressionMethod method :
         {CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd, CompressionMethod::ChannelPruning}) {
        bool isKnown = false, isPossible = false;
        QString reason;
        for (const QString& layer : layers)
            for (const CompressionView::MethodOption& option : m_view->options(layer)) {
                if (option.method != method || !m_view->row(layer)) continue;
                isKnown |= option.isKnown;
                isPossible |= option.reason.isEmpty();
                if (reason.isEmpty()) reason = option.reason;
            }
        canAny |= isKnown;
        const bool isUntried = !isKnown && isPossible;
        QAction* action = menu->addAction(isUntried ? tr("Try %1 too").arg(methodText(method))
                                                    : tr("Compress by %1").arg(methodText(method)));
        action->setObjectName(u"layerMenu_"_s + toQString(name(method)));
        action->setEnabled(isKnown || (isUntried && m_session.document().data()));
        if (!isKnown && !isPossible)
            action->setToolTip(reason.isEmpty() ? tr("The layer has no weights") : tr("Not possible: %1").arg(reason));
        connect(action, &QAction::triggered, this, [this, layers, method, isUntried] {
            if (isUntried)
                tryMethod(method);
            else
                setMethod(layers, static_cast<int>(method));
        });
    }
    QAction* alone = menu->addAction(tr("Do not compress"), this, [this, layers] { setMethod(layers, -1); });
    menu->addSeparator();
    QAction* lock = menu->addAction(tr("Lock or unlock"), this, [this, layers] { toggleLocks(layers); });
    QAction* reset = menu->addAction(tr("Take suggestion"), this, [this, layers] { resetToSuggestion(layers); });
    alone->setObjectName(u"layerMenuAlone"_s);
    lock->setObjectName(u"layerMenuLock"_s);
    reset->setObjectName(u"layerMenuReset"_s);
    for (QAction* action : {alone, lock}) action->setEnabled(canAny);
    reset->setEnabled(canAny && !m_session.document().state().suggestion.choices.empty());
    return menu;
}

void PlanEditor::toggleLocks(const QStringList& layers) {
    if (!m_view) return;
    CompressionPlan edited = m_session.document().state().plan;
    const bool isLocking = std::ranges::any_of(layers, [&](const QString& layer) {
        const LayerChoice* choice = edited.find(toStdString(layer));
        return !choice || !choice->isLocked;
    });
    for (const QString& layer : layers) {
        const auto* row = m_view->row(layer);
        if (!row || row->entries.empty()) continue;
        const LayerChoice* before = edited.find(toStdString(layer));
        LayerChoice choice = before ? *before
                                    : LayerChoice{toStdString(layer),
                                                  m_view->table().layers[row->entries.front()].method, 1.0, 0, false};
        choice.isLocked = isLocking;
        setChoice(edited, choice);
    }
    const QString one = shortName(layers.value(0));
    const int count = static_cast<int>(layers.size());
    m_session.document().edit(isLocking
                                  ? (count == 1 ? tr("Lock %1").arg(one) : tr("Lock %n layer(s)", nullptr, count))
                                  : (count == 1 ? tr("Unlock %1").arg(one) : tr("Unlock %n layer(s)", nullptr, count)),
                              [&](DocumentState& state) { state.plan = edited; });
}

void PlanEditor::resetToSuggestion(const QStringList& layers) {
    const DocumentState& state = m_session.document().state();
    if (state.suggestion.choices.empty()) return;
    CompressionPlan edited = state.plan;
    for (const QString& layer : layers) {
        const LayerChoice* suggested = state.suggestion.find(toStdString(layer));
        LayerChoice choice =
            suggested ? *suggested : LayerChoice{toStdString(layer), CompressionMethod::SpatialSvd, 1.0, 0, false};
        choice.isLocked = false;
        setChoice(edited, choice);
    }
    const int count = static_cast<int>(layers.size());
    m_session.document().edit(count == 1 ? tr("Suggested ratio of %1").arg(shortName(layers.front()))
                                         : tr("Suggested ratios of %n layer(s)", nullptr, count),
                              [&](DocumentState& changed) { changed.plan = edited; });
}

void PlanEditor::adopt(CompressionPlan plan) {
    plan.multiple = m_session.document().state().compression.multiple;
    m_session.document().edit(tr("Adopt a plan of the trade-off"), [&](DocumentState& state) { state.plan = plan; });
}

}  // namespace equant::ui
