// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/equalize_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/window/icons.h"
#include "widgets/bridge/text.h"
#include "widgets/models/pair_model.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kIterationsMergeId = 1;
}

EqualizePanel::EqualizePanel(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_relu6(new QComboBox(this)),
      m_absorb(new QCheckBox(tr("Absorb high biases"), this)),
      m_constants(new QCheckBox(tr("Fold constant channels"), this)),
      m_iterations(new QSpinBox(this)),
      m_preview(new QPushButton(symbolicIcon(u"preview"_s), tr("Preview"), this)),
      m_apply(new QPushButton(symbolicIcon(u"apply"_s), tr("Apply"), this)),
      m_state(mutedText(this)),
      m_pairs(new PairModel(this)),
      m_view(new QTableView(this)) {
    setObjectName(u"equalizePanel"_s);
    setUpControls();
    setUpPairTable();
    auto* form = new QFormLayout;
    form->setContentsMargins(0, 0, 0, 0);
    form->setSpacing(8);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(tr("ReLU6"), m_relu6);
    form->addRow(tr("Iterations"), m_iterations);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addWidget(m_preview, 1);
    buttons->addWidget(m_apply, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addLayout(form);
    layout->addWidget(m_absorb);
    layout->addWidget(m_constants);
    layout->addLayout(buttons);
    layout->addWidget(m_state);
    layout->addWidget(titled(tr("Pairs of layers"), m_view, this), 1);
    connectControls();
    refresh();
}

void EqualizePanel::setUpControls() {
    m_relu6->setObjectName(u"relu6Mode"_s);
    m_relu6->setAccessibleName(tr("ReLU6 handling"));
    m_relu6->addItem(tr("Exact: per-channel clip"));
    m_relu6->addItem(tr("Replace by ReLU"));
    m_relu6->addItem(tr("Skip"));
    m_relu6->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_relu6->setToolTip(
        tr("Exact keeps the float function: clip(x, 0, 6) becomes a clip with an upper bound per channel.\n"
           "Replacing ReLU6 by ReLU is simpler but changes what the network computes.\n"
           "Skip leaves the pairs that ReLU6 joins unequalized."));
    m_absorb->setObjectName(u"absorbBias"_s);
    m_absorb->setToolTip(tr("Moves the large biases that equalization causes into the next layer"));
    m_constants->setObjectName(u"silenceConstants"_s);
    m_constants->setToolTip(
        tr("Adds the output of channels that are constant for every input to the next bias and zeroes the weights that "
           "read them"));
    m_iterations->setObjectName(u"iterations"_s);
    m_iterations->setAccessibleName(tr("Iterations over all pairs, at most"));
    m_iterations->setRange(1, 200);
    m_iterations->setToolTip(tr("Iterations over all pairs, at most; stops early when the scales no longer change"));
    m_preview->setObjectName(u"previewEqualization"_s);
    m_preview->setToolTip(tr("Computes the ranges after equalization; the model stays as it is"));
    m_apply->setObjectName(u"applyEqualization"_s);
    m_apply->setDefault(true);
    m_state->setObjectName(u"equalizeState"_s);
}

void EqualizePanel::setUpPairTable() {
    m_view->setObjectName(u"pairTable"_s);
    m_view->setAccessibleName(tr("Pairs of layers"));
    m_view->setModel(m_pairs);
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setSelectionMode(QAbstractItemView::SingleSelection);
    m_view->setShowGrid(false);
    m_view->setAlternatingRowColors(true);
    m_view->setWordWrap(false);
    m_view->setTextElideMode(Qt::ElideMiddle);
    m_view->verticalHeader()->hide();
    m_view->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 10);
    m_view->horizontalHeader()->setStretchLastSection(true);
    m_view->horizontalHeader()->setHighlightSections(false);
    m_view->setColumnWidth(PairModel::Layers, 150);
    m_view->setColumnWidth(PairModel::State, 76);
    m_view->setMinimumHeight(96);
}

void EqualizePanel::connectControls() {
    Document& document = m_session.document();
    connect(m_relu6, &QComboBox::currentIndexChanged, this, [this, &document](int index) {
        if (m_isRefreshing) return;
        document.edit(tr("ReLU6: %1").arg(m_relu6->itemText(index)),
                      [index](DocumentState& state) { state.equalize.relu6 = static_cast<CapMode>(index); });
    });
    connect(m_absorb, &QCheckBox::toggled, this, [this, &document](bool on) {
        if (m_isRefreshing) return;
        document.edit(on ? tr("Absorb high biases") : tr("Keep high biases"),
                      [on](DocumentState& state) { state.equalize.shouldAbsorbBias = on; });
    });
    connect(m_constants, &QCheckBox::toggled, this, [this, &document](bool on) {
        if (m_isRefreshing) return;
        document.edit(on ? tr("Fold constant channels") : tr("Keep constant channels"),
                      [on](DocumentState& state) { state.equalize.shouldSilenceConstantChannels = on; });
    });
    connect(m_iterations, &QSpinBox::valueChanged, this, [this, &document](int value) {
        if (m_isRefreshing) return;
        document.edit(
            tr("At most %n iteration(s)", nullptr, value),
            [value](DocumentState& state) { state.equalize.iterations = value; }, kIterationsMergeId);
    });
    connect(m_pairs, &PairModel::exclusionRequested, this, [this, &document](const QString& layer, bool isExcluded) {
        document.edit(isExcluded ? tr("Exclude pair of %1").arg(layer) : tr("Include pair of %1").arg(layer),
                      [&](DocumentState& state) {
                          auto& excluded = state.equalize.excluded;
                          std::erase(excluded, toStdString(layer));
                          if (isExcluded) excluded.push_back(toStdString(layer));
                          std::ranges::sort(excluded);
                      });
    });
    connect(m_preview, &QPushButton::clicked, &m_session, &Session::previewEqualization);
    connect(m_apply, &QPushButton::clicked, this, [this] {
        if (m_session.document().isEqualizeUpToDate())
            m_session.removeEqualization();
        else
            m_session.applyEqualization();
    });
    connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this](const QModelIndex& index) {
        if (m_isRefreshing || !index.isValid()) return;
        m_session.selection().set(toQStringList(m_pairs->pairs()[static_cast<std::size_t>(index.row())].layers));
    });
    connect(&m_session.selection(), &Selection::changed, this,
            [this](const QStringList& layers) { selectPairOf(layers.value(0)); });
    for (const auto signal : {&Document::stateChanged, &Document::equalizedChanged, &Document::modelChanged})
        connect(&document, signal, this, &EqualizePanel::refresh);
    connect(&m_session, &Session::busyChanged, this, &EqualizePanel::refresh);
}

void EqualizePanel::refresh() {
    Document& document = m_session.document();
    const EqualizeOptions& options = document.state().equalize;
    m_isRefreshing = true;
    m_relu6->setCurrentIndex(static_cast<int>(options.relu6));
    m_absorb->setChecked(options.shouldAbsorbBias);
    m_constants->setChecked(options.shouldSilenceConstantChannels);
    m_constants->setEnabled(options.relu6 != CapMode::Replace);
    m_iterations->setValue(options.iterations);
    refreshPairs();
    m_isRefreshing = false;

    const bool hasModel = document.hasModel();
    const bool isBusy = m_session.isEqualizing();
    const bool isUpToDate = document.isEqualizeUpToDate();
    const bool isPreviewed = document.equalizedFor(options) != nullptr;
    m_preview->setEnabled(hasModel && !isBusy && !isPreviewed);
    m_apply->setEnabled(hasModel && !isBusy);
    m_apply->setText(isUpToDate ? tr("Remove") : document.isEqualizeApplied() ? tr("Apply changes") : tr("Apply"));
    m_apply->setToolTip(isUpToDate ? tr("Takes the equalization out of the recipe again")
                                   : tr("Adds the equalization to the recipe; undo takes it out again"));
    m_state->setText(isBusy                         ? tr("Computing …")
                     : isUpToDate                   ? tr("Applied: later stages use the equalized model.")
                     : document.isEqualizeApplied() ? tr("The options differ from the ones that are applied.")
                     : isPreviewed                  ? tr("A preview: nothing is applied yet.")
                                                    : tr("Not computed yet."));
}

void EqualizePanel::refreshPairs() {
    const auto shown = m_session.document().shownEqualized();
    m_pairs->setPairs(shown ? shown->report.pairs : std::vector<EqualizedPair>{},
                      m_session.document().state().equalize.excluded);
}

void EqualizePanel::selectPairOf(const QString& layer) {
    const QModelIndex current = m_view->currentIndex();
    if (current.isValid()) {
        const auto& layers = m_pairs->pairs()[static_cast<std::size_t>(current.row())].layers;
        if (std::ranges::find(layers, toStdString(layer)) != layers.end()) return;
    }
    const int row = m_pairs->rowOf(layer);
    m_isRefreshing = true;
    if (row >= 0) {
        m_view->setCurrentIndex(m_pairs->index(row, 0));
        m_view->scrollTo(m_pairs->index(row, 0));
    } else {
        m_view->setCurrentIndex({});
        m_view->clearSelection();
    }
    m_isRefreshing = false;
}

}  // namespace equant::ui
