// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/compression/compression_setup_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/data_row.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/window/icons.h"
#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

enum MergeId { kFitId = 30, kScoreId, kCandidatesId, kMultipleId, kTargetId };

constexpr std::array<CompressionMethod, 3> kMethods{CompressionMethod::SpatialSvd, CompressionMethod::WeightSvd,
                                                    CompressionMethod::ChannelPruning};

QSpinBox* counter(const QString& name, const QString& accessible, const QString& tip, int low, int high,
                  QWidget* parent) {
    auto* box = new QSpinBox(parent);
    box->setObjectName(name);
    box->setAccessibleName(accessible);
    box->setToolTip(tip);
    box->setRange(low, high);
    return box;
}

QString titleOf(CompressionMethod method) {
    QString text = methodText(method);
    text[0] = text[0].toUpper();
    return text;
}

}  // namespace

CompressionSetupPanel::CompressionSetupPanel(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_metric(new QComboBox(this)),
      m_calibration(counter(u"compressionFitSamples"_s, tr("Samples to fit on"),
                            tr("Samples behind the layers' statistics and the refit of compressed layers"), 1,
                            1'000'000, this)),
      m_evaluation(counter(u"compressionScoreSamples"_s, tr("Samples to score on"),
                           tr("Samples behind every cell of the map and every measured plan, at most"), 0, 1'000'000,
                           this)),
      m_candidates(counter(u"compressionCandidates"_s, tr("Ratios to try for each layer"),
                           tr("Ratios that are tried for each layer, evenly spaced"), 2, 19, this)),
      m_multiple(counter(u"compressionMultiple"_s, tr("Multiple of ranks and channels"),
                         tr("Ranks and channels are rounded up to multiples of this, as many accelerators require"), 1,
                         128, this)),
      m_plain(new QCheckBox(tr("Weights only, no refit"), this)),
      m_predict(new QPushButton(symbolicIcon(u"preview"_s), tr("Predict"), this)),
      m_measure(new QPushButton(symbolicIcon(u"run"_s), tr("Measure"), this)),
      m_sweepText(mutedText(this)),
      m_target(new QComboBox(this)),
      m_slider(new QSlider(Qt::Horizontal, this)),
      m_value(new QDoubleSpinBox(this)),
      m_solver(new QComboBox(this)),
      m_suggest(new QPushButton(tr("Suggest ratios"), this)),
      m_flow(new QPushButton(tr("Recommended flow"), this)),
      m_flowText(mutedText(this)) {
    setObjectName(u"compressionSetup"_s);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addWidget(createSweepPart());
    layout->addWidget(createTargetPart());
    layout->addStretch(1);
    connectSweep();
    connectTarget();
    for (const auto signal : {&Document::stateChanged, &Document::planChanged, &Document::modelChanged,
                              &Document::sensitivityChanged, &Document::dataChanged, &Document::compressedChanged})
        connect(&session.document(), signal, this, &CompressionSetupPanel::refresh);
    connect(&session, &Session::busyChanged, this, &CompressionSetupPanel::refreshButtons);
    connect(&session.jobs(), &JobRunner::progressed, this, &CompressionSetupPanel::refreshButtons);
    refresh();
}

QWidget* CompressionSetupPanel::createMethods(QWidget* parent) {
    auto* methods = new QWidget(parent);
    auto* column = new QVBoxLayout(methods);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(2);
    const QStringList tips{tr("Factorizes a k×k convolution into a k×1 and a 1×k convolution"),
                           tr("Factorizes a layer into two of lower rank, one of them 1x1"),
                           tr("Removes input channels, and the output channels of earlier layers that only they read")};
    for (std::size_t i = 0; i < kMethods.size(); ++i) {
        auto* box = new QCheckBox(titleOf(kMethods[i]), methods);
        box->setObjectName(u"method_"_s + toQString(name(kMethods[i])));
        box->setToolTip(tips[static_cast<qsizetype>(i)]);
        column->addWidget(box);
        m_methods.push_back(box);
    }
    return methods;
}

QWidget* CompressionSetupPanel::createSweepPart() {
    auto* part = new QWidget(this);
    auto* dataRow = new DataRow(m_session, u"compressionDataPath"_s, u"chooseCompressionData"_s, part);
    connect(dataRow, &DataRow::folderRequested, this, &CompressionSetupPanel::dataFolderRequested);
    connect(dataRow, &DataRow::fileRequested, this, &CompressionSetupPanel::dataFileRequested);
    auto* methods = createMethods(part);
    m_metric->setObjectName(u"compressionMetric"_s);
    m_metric->setAccessibleName(tr("Score"));
    m_metric->addItems({tr("Automatic"), tr("Top-1 accuracy"), tr("Agreement with float"), tr("Output SQNR")});
    makeShrinkable(m_metric);
    m_evaluation->setSpecialValueText(tr("all"));
    m_multiple->setSpecialValueText(tr("any"));
    m_plain->setObjectName(u"compressionPlain"_s);
    m_plain->setToolTip(
        tr("Plain SVD and magnitude pruning, for comparison: the data are not used.\n"
           "Usually far worse than the data-aware methods."));
    m_predict->setObjectName(u"predictSensitivity"_s);
    m_predict->setToolTip(tr("The output error of every layer at every ratio, from one pass over the data (F5)"));
    m_measure->setObjectName(u"measureSensitivity"_s);
    m_measure->setToolTip(
        tr("Scores the whole network cell by cell, the most informative cells first.\n"
           "Pause at any time: measured cells are kept and the sweep continues from there."));
    m_sweepText->setObjectName(u"sweepText"_s);
    m_sweepText->setMinimumHeight(2 * m_sweepText->fontMetrics().height());  // what is below it stays in place
    m_sweepText->setAlignment(Qt::AlignLeft | Qt::AlignTop);

    auto* form = plainForm();
    form->setVerticalSpacing(5);
    form->addRow(tr("Data"), dataRow);
    form->addRow(tr("Methods"), methods);
    form->addRow(tr("Score"), m_metric);
    form->addRow(tr("Fit on"), m_calibration);
    form->addRow(tr("Score on"), m_evaluation);
    form->addRow(tr("Ratios"), m_candidates);
    form->addRow(tr("Multiple of"), m_multiple);
    form->addRow(QString(), m_plain);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addWidget(m_predict, 1);
    buttons->addWidget(m_measure, 1);
    auto* layout = new QVBoxLayout(part);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    layout->addLayout(form);
    layout->addLayout(buttons);
    layout->addWidget(m_sweepText);
    return part;
}

QWidget* CompressionSetupPanel::createTargetPart() {
    auto* part = new QWidget(this);
    m_target->setObjectName(u"targetKind"_s);
    m_target->setAccessibleName(tr("Target"));
    m_target->addItems({tr("MACs left"), tr("Size left"), tr("Largest drop")});
    makeShrinkable(m_target);
    m_slider->setObjectName(u"targetSlider"_s);
    m_slider->setAccessibleName(tr("Target"));
    m_value->setObjectName(u"targetValue"_s);
    m_value->setAccessibleName(tr("Target"));
    m_value->setDecimals(1);
    m_solver->setObjectName(u"solverChoice"_s);
    m_solver->setAccessibleName(tr("How ratios are chosen"));
    m_solver->addItems({tr("Exact: least loss"), tr("Greedy: one threshold")});
    m_solver->setToolTip(
        tr("Exact finds the smallest predicted loss that meets the target.\n"
           "Greedy lowers one threshold of the score for all layers until the target is met."));
    makeShrinkable(m_solver);
    m_suggest->setObjectName(u"suggestPlan"_s);
    m_flow->setObjectName(u"recommendedFlow"_s);
    m_flowText->setObjectName(u"flowText"_s);
    auto* value = new QHBoxLayout;
    value->setSpacing(8);
    value->addWidget(m_slider, 1);
    value->addWidget(m_value);
    auto* form = plainForm();
    form->setVerticalSpacing(5);
    form->addRow(tr("Target"), m_target);
    form->addRow(value);
    form->addRow(tr("Solver"), m_solver);
    auto* layout = new QVBoxLayout(part);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    layout->addLayout(form);
    layout->addWidget(m_suggest);
    layout->addWidget(m_flow);
    layout->addWidget(m_flowText);
    return part;
}

void CompressionSetupPanel::edit(const QString& text, const std::function<void(CompressionSetup&)>& change,
                                 int mergeId) {
    if (m_isRefreshing) return;
    m_session.document().edit(
        text, [&](DocumentState& state) { change(state.compression); }, mergeId);
}

void CompressionSetupPanel::connectSweep() {
    for (std::size_t i = 0; i < kMethods.size(); ++i) {
        connect(m_methods[i], &QCheckBox::toggled, this, [this, i](bool on) {
            if (m_isRefreshing) return;
            std::vector<CompressionMethod> methods;
            for (std::size_t k = 0; k < kMethods.size(); ++k)
                if (m_methods[k]->isChecked()) methods.push_back(kMethods[k]);
            if (methods.empty()) return refresh();  // one method must stay
            edit(on ? tr("Try %1").arg(methodText(kMethods[i])) : tr("Do not try %1").arg(methodText(kMethods[i])),
                 [&](auto& setup) { setup.methods = methods; });
        });
    }
    connect(m_metric, &QComboBox::currentIndexChanged, this, [this](int index) {
        edit(tr("Score: %1").arg(m_metric->itemText(index)), [index](auto& setup) {
            setup.metric = index == 0 ? std::nullopt : std::optional(static_cast<SensitivityMetric>(index - 1));
        });
    });
    const auto number = [this](QSpinBox* box, int CompressionSetup::*field, int id, const QString& text) {
        connect(box, &QSpinBox::valueChanged, this, [this, field, id, text](int value) {
            edit(
                text.arg(value), [=](auto& setup) { setup.*field = value; }, id);
        });
    };
    number(m_calibration, &CompressionSetup::calibrationSamples, kFitId, tr("Fit compressed layers on %1 samples"));
    number(m_evaluation, &CompressionSetup::evaluationSamples, kScoreId, tr("Score compression on %1 samples"));
    number(m_candidates, &CompressionSetup::candidates, kCandidatesId, tr("Try %1 ratios"));
    number(m_multiple, &CompressionSetup::multiple, kMultipleId, tr("Ranks in multiples of %1"));
    connect(m_plain, &QCheckBox::toggled, this, [this](bool on) {
        edit(on ? tr("Plain methods") : tr("Data-aware methods"), [on](auto& setup) { setup.isPlain = on; });
    });
    connect(m_predict, &QPushButton::clicked, &m_session, &Session::predictSensitivity);
    connect(m_measure, &QPushButton::clicked, this, [this] {
        if (m_session.isSweeping())
            m_session.pauseSweep();
        else
            m_session.measureSensitivity();
    });
}

void CompressionSetupPanel::connectTarget() {
    connect(m_target, &QComboBox::currentIndexChanged, this, [this](int index) {
        edit(tr("Target: %1").arg(m_target->itemText(index)),
             [index](auto& setup) { setup.target = static_cast<TargetKind>(index); });
    });
    const auto setTarget = [this](double value) {
        const bool isDrop = m_session.document().state().compression.target == TargetKind::Drop;
        edit(
            isDrop ? tr("Lose at most %1 points").arg(value) : tr("Keep %1 % of the cost").arg(value),
            [=](auto& setup) { (isDrop ? setup.maxDrop : setup.share) = isDrop ? value : value / 100; }, kTargetId);
    };
    connect(m_value, &QDoubleSpinBox::valueChanged, this, setTarget);
    connect(m_slider, &QSlider::valueChanged, this, [setTarget](int value) { setTarget(value / 10.0); });
    connect(m_solver, &QComboBox::currentIndexChanged, this, [this](int index) {
        edit(tr("Solver: %1").arg(m_solver->itemText(index)), [index](auto& setup) { setup.isGreedy = index == 1; });
    });
    connect(m_suggest, &QPushButton::clicked, &m_session, &Session::suggestPlan);
    connect(m_flow, &QPushButton::clicked, this, [this] {
        if (m_session.isFlowing())
            m_session.stopFlow();
        else
            m_session.recommendFlow();
    });
}

void CompressionSetupPanel::refresh() {
    const CompressionSetup& setup = m_session.document().state().compression;
    m_isRefreshing = true;
    for (std::size_t i = 0; i < kMethods.size(); ++i)
        m_methods[i]->setChecked(std::ranges::find(setup.methods, kMethods[i]) != setup.methods.end());
    m_metric->setCurrentIndex(setup.metric ? static_cast<int>(*setup.metric) + 1 : 0);
    m_calibration->setValue(setup.calibrationSamples);
    m_evaluation->setValue(setup.evaluationSamples);
    m_candidates->setValue(setup.candidates);
    m_multiple->setValue(setup.multiple);
    m_plain->setChecked(setup.isPlain);
    m_target->setCurrentIndex(static_cast<int>(setup.target));
    m_solver->setCurrentIndex(setup.isGreedy ? 1 : 0);
    const bool isDrop = setup.target == TargetKind::Drop;
    const double value = isDrop ? setup.maxDrop : 100 * setup.share;
    m_value->setRange(isDrop ? 0.1 : 5.0, isDrop ? 30.0 : 100.0);
    m_value->setSuffix(isDrop ? tr(" points") : tr(" %"));
    m_value->setValue(value);
    m_slider->setRange(isDrop ? 1 : 50, isDrop ? 300 : 1000);
    m_slider->setPageStep(isDrop ? 10 : 50);
    m_slider->setValue(qRound(10 * value));
    m_isRefreshing = false;
    refreshButtons();
}

void CompressionSetupPanel::refreshButtons() {
    const Document& document = m_session.document();
    const bool hasData = document.data() != nullptr;
    const bool isSweeping = m_session.isSweeping();
    const auto table = document.sensitivity();
    const bool isFresh = document.isSensitivityFresh();
    int measured = 0, all = 0, compressible = 0;
    if (table)
        for (const LayerSensitivity& layer : table->layers) {
            compressible += layer.cells.empty() ? 0 : 1;
            all += static_cast<int>(layer.cells.size());
            measured += static_cast<int>(
                std::ranges::count_if(layer.cells, [](const SensitivityCell& cell) { return cell.score.has_value(); }));
        }
    const bool isComplete = isFresh && measured == all && all > 0;
    m_predict->setEnabled(hasData && !isSweeping);
    m_measure->setEnabled(hasData && (isSweeping || !isComplete));
    // A prediction has no parts that could be kept.
    m_measure->setText(isSweeping && !m_session.isMeasuring()  ? tr("Stop")
                       : isSweeping                            ? tr("Pause")
                       : isFresh && measured == all && all > 0 ? tr("Measured")
                       : isFresh && measured > 0               ? tr("Continue")
                                                               : tr("Measure"));
    const QString reason = table && !table->metricReason.empty()
                               ? u' ' + tr("Why this score: %1.").arg(toQString(table->metricReason).remove(u'.'))
                               : QString();
    QString text;
    if (isSweeping && measured < all && measured > 0)
        text = tr("%1 of %2 cells measured; usable from now on.").arg(measured).arg(all);
    else if (isSweeping)
        text = m_session.sweepJob()->stage();
    else if (!document.hasModel() || document.state().data.path.isEmpty())
        text = tr("Choose data to find out how sensitive each layer is.");
    else if (!hasData)
        text = m_session.isLoadingData() ? tr("Opening the data …") : tr("These data could not be opened.");
    else if (table && !isFresh)
        text = tr("⚠ The map is for other settings. Predict or measure again.");
    else if (table && measured > 0)
        text = tr("%1 of %2 cells measured.").arg(measured).arg(all) + reason;
    else if (table)
        text = tr("Predicted from the layers' statistics; the network was not scored.");
    else
        text = tr("Predict takes one pass over the data. Measure scores every cell.");
    m_sweepText->setText(text.trimmed());
    m_suggest->setEnabled(table != nullptr && compressible > 0 && !m_session.isSuggesting());
    m_suggest->setText(m_session.isSuggesting() ? tr("Solving …") : tr("Suggest ratios"));
    m_suggest->setToolTip(table ? tr("The ratios that meet the target with the least loss; locked layers stay")
                                : tr("Predict or measure first"));
    refreshFlow();
}

void CompressionSetupPanel::refreshFlow() {
    const Document& document = m_session.document();
    const CompressionSetup& setup = document.state().compression;
    const bool isFlowing = m_session.isFlowing();
    const bool hasTarget = setup.target == TargetKind::Macs && setup.share < 1;
    m_flow->setText(isFlowing ? tr("Stop the flow") : tr("Recommended flow"));
    m_flow->setEnabled(isFlowing || (document.data() != nullptr && hasTarget));
    m_flow->setToolTip(
        isFlowing   ? tr("Plans that are measured already stay on the trade-off")
        : hasTarget ? tr("Compresses with the methods that are ticked above: tries several divisions of the work\n"
                         "between factorizing and pruning, measures the network for each and adopts the best\n"
                         "plan (one undo step). Tick channel pruning as well to let it try both.")
                    : tr("Needs a target of MACs below 100 %"));
    QString text;
    if (isFlowing)
        text = tr("%n plan(s) tried. Now: %1.", nullptr, m_session.flowTried()).arg(m_session.flowJob()->stage());
    else if (m_session.flowJob() && m_session.flowJob()->state() == Job::State::Cancelled)
        text = m_session.flowTried() == 0
                   ? tr("Stopped before a plan was measured.")
                   : tr("Stopped after %n plan(s). A click on a star in the trade-off adopts it.", nullptr,
                        m_session.flowTried());
    else
        text = flowSentence(document);
    m_flowText->setText(text);
    m_flowText->setVisible(!text.isEmpty());
}

}  // namespace equant::ui
