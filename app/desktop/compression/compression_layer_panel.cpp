// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression/compression_layer_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QStandardItemModel>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/page_parts.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kIsUntried = Qt::UserRole + 1;

/// A sentence as the end of another one.
QString asClause(QString text) {
    while (text.endsWith(u'.')) text.chop(1);
    if (text.size() > 1 && text[1].isLower()) text[0] = text[0].toLower();
    return text;
}
}  // namespace

CompressionLayerPanel::CompressionLayerPanel(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_text(new QLabel(this)),
      m_whyNot(mutedText(this)),
      m_method(new QComboBox(this)),
      m_lock(new QToolButton(this)),
      m_reset(new QToolButton(this)),
      m_curve(new plots::LayerCurve(this)) {
    m_text->setObjectName(u"layerChoiceText"_s);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_whyNot->setObjectName(u"layerWhyNot"_s);
    m_method->setObjectName(u"layerMethod"_s);
    m_method->setAccessibleName(tr("Method for this layer"));
    m_method->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_lock->setObjectName(u"layerLock"_s);
    m_lock->setCheckable(true);
    m_lock->setText(tr("Lock"));
    m_lock->setToolTip(tr("Suggestions do not change this ratio (Space in the ratio profile)"));
    m_reset->setObjectName(u"layerReset"_s);
    m_reset->setText(tr("Take suggestion"));
    m_reset->setToolTip(tr("Gives the layer the ratio that was suggested last"));
    m_curve->setObjectName(u"layerCurve"_s);
    m_curve->setEmptyText(tr("Select a layer in the map to see what its ratio costs."));
    m_curve->setMinimumHeight(120);
    auto* row = new QHBoxLayout;
    row->setSpacing(6);
    row->addWidget(m_text, 1);
    row->addWidget(m_method);
    row->addWidget(m_lock);
    row->addWidget(m_reset);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 6, 0, 0);
    layout->setSpacing(4);
    layout->addLayout(row);
    layout->addWidget(m_whyNot);
    layout->addWidget(m_curve, 1);
    connect(m_method, &QComboBox::activated, this, [this](int index) {
        const int method = m_method->itemData(index).toInt();
        if (m_method->itemData(index, kIsUntried).toBool())
            emit methodWanted(static_cast<CompressionMethod>(method));
        else
            emit methodChosen(m_layer, method);
    });
    connect(m_lock, &QToolButton::clicked, this, [this] { emit lockToggled(m_layer); });
    connect(m_reset, &QToolButton::clicked, this, [this] { emit resetRequested(m_layer); });
}

void CompressionLayerPanel::showText(const CompressionView& view, const CompressionPlan& plan) {
    const auto* row = view.row(m_layer);
    if (!row) {
        m_text->setText(m_layer.isEmpty() ? QString() : tr("%1 has no weights to compress.").arg(shortName(m_layer)));
        return;
    }
    if (row->entries.empty()) {
        m_text->setText(tr("%1 is not compressed: %2.").arg(shortName(m_layer), asClause(row->skipReason)));
        return;
    }
    const LayerChoice* choice = plan.find(toStdString(m_layer));
    // Name and method are beside it already.
    m_text->setText(choice ? view.costText(*choice) : tr("not compressed"));
}

void CompressionLayerPanel::show(const CompressionView* view, const QStringList& layers, const CompressionPlan& plan) {
    m_layer = layers.value(0);
    const auto* row = view ? view->row(m_layer) : nullptr;
    const bool hasRatios = row && !row->entries.empty();
    const auto isUntried = [](const CompressionView::MethodOption& option) {
        return !option.isKnown && option.reason.isEmpty();
    };
    const bool isUsable = hasRatios || (row && std::ranges::any_of(view->options(m_layer), isUntried));
    for (QWidget* each : QList<QWidget*>{m_method, m_lock, m_reset}) each->setVisible(isUsable);
    m_whyNot->hide();
    m_text->setVisible(view && !m_layer.isEmpty());
    if (!view) return m_curve->setData({});
    showText(*view, plan);
    m_curve->setEmptyText(m_layer.isEmpty() ? tr("Select a layer in the map to see what its ratio costs.")
                                            : tr("There is no ratio to choose for this layer."));
    m_curve->setData(view->curve(layers, plan, m_session.document().state().compression));
    if (!isUsable) return;
    const LayerChoice* choice = plan.find(toStdString(m_layer));
    fillMethods(*view, choice);
    m_lock->setVisible(hasRatios);
    m_reset->setVisible(hasRatios);
    m_lock->setChecked(choice && choice->isLocked);
    const CompressionPlan& suggestion = m_session.document().state().suggestion;
    const LayerChoice* suggested = suggestion.find(toStdString(m_layer));
    const double now = choice ? choice->ratio : 1.0;
    m_reset->setEnabled(!suggestion.choices.empty() && now != (suggested ? suggested->ratio : 1.0));
}

/// All methods, those that cannot disabled with the reason, those that were not tried as an offer to try them.
void CompressionLayerPanel::fillMethods(const CompressionView& view, const LayerChoice* choice) {
    QStringList reasons;
    m_method->clear();
    m_method->addItem(tr("not compressed"), -1);
    auto* items = qobject_cast<QStandardItemModel*>(m_method->model());
    for (const CompressionView::MethodOption& option : view.options(m_layer)) {
        const int index = m_method->count();
        const bool isUntried = !option.isKnown && option.reason.isEmpty();
        m_method->addItem(isUntried ? tr("try %1").arg(methodText(option.method)) : methodText(option.method),
                          static_cast<int>(option.method));
        m_method->setItemData(index, isUntried, kIsUntried);
        if (isUntried)
            m_method->setItemData(index, tr("Predicts this method too; what was measured stays"), Qt::ToolTipRole);
        if (option.isKnown || isUntried) continue;
        m_method->setItemData(index, tr("Not possible: %1").arg(option.reason), Qt::ToolTipRole);
        if (items) items->item(index)->setEnabled(false);
        reasons << tr("Not by %1: %2.").arg(methodText(option.method), asClause(option.reason));
    }
    // The line above says it already where it is the only reason.
    if (view.methods(m_layer).empty() && reasons.size() == 1) reasons.clear();
    m_method->setCurrentIndex(
        choice && choice->ratio < 1 ? std::max(0, m_method->findData(static_cast<int>(choice->method))) : 0);
    m_whyNot->setText(reasons.join(u' '));
    m_whyNot->setVisible(!reasons.isEmpty());
}

void CompressionLayerPanel::showDragged(const CompressionView& view, const CompressionPlan& plan) {
    if (const LayerChoice* choice = plan.find(toStdString(m_layer))) m_curve->setChosen(choice->ratio);
    showText(view, plan);
}

}  // namespace equant::ui
