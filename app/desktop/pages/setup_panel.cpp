// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/setup_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>

#include "app/desktop/document/quantization_presets.h"
#include "app/desktop/jobs/session.h"
#include "app/desktop/pages/data_row.h"
#include "app/desktop/pages/page_parts.h"
#include "app/desktop/window/icons.h"
#include "widgets/bridge/text.h"
#include "widgets/panels/picture_grid.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

enum MergeId { kCalibrationId = 10, kEvaluationId, kWeightBitsId, kActivationBitsId };

}  // namespace

SetupPanel::SetupPanel(Session& session, QWidget* parent)
    : QWidget(parent),
      m_session(session),
      m_preprocess(new QComboBox(this)),
      m_dataText(mutedText(this)),
      m_pictures(new PictureGrid(this)),
      m_calibration(new QSpinBox(this)),
      m_evaluation(new QSpinBox(this)),
      m_preset(new QComboBox(this)),
      m_weightBits(new QSpinBox(this)),
      m_activationBits(new QSpinBox(this)),
      m_granularity(new QComboBox(this)),
      m_scheme(new QComboBox(this)),
      m_symmetric(new QCheckBox(tr("Symmetric weights"), this)),
      m_run(new QPushButton(symbolicIcon(u"run"_s), tr("Run"), this)) {
    setObjectName(u"setupPanel"_s);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    m_run->setObjectName(u"runQuantization"_s);
    m_run->setMinimumHeight(32);
    m_run->setDefault(true);
    layout->addWidget(createDataPart());
    layout->addSpacing(4);
    layout->addWidget(createSettingsPart());
    layout->addWidget(m_run);
    layout->addSpacing(4);
    layout->addWidget(m_dataText);
    layout->addWidget(m_pictures);
    layout->addStretch(1);
    connectData();
    connectSettings();
    refresh();
    refreshData();
}

QWidget* SetupPanel::createDataPart() {
    auto* part = new QWidget(this);
    auto* dataRow = new DataRow(m_session, u"dataPath"_s, u"chooseData"_s, part);
    connect(dataRow, &DataRow::folderRequested, this, &SetupPanel::dataFolderRequested);
    connect(dataRow, &DataRow::fileRequested, this, &SetupPanel::dataFileRequested);

    m_preprocess->setObjectName(u"preprocessChoice"_s);
    m_preprocess->setAccessibleName(tr("Preprocessing"));
    makeShrinkable(m_preprocess);
    m_preprocess->addItem(tr("From the model"), QString());
    m_preprocess->addItem(tr("ImageNet: mean and deviation"), u"imagenet"_s);
    m_preprocess->addItem(tr("0 to 1"), u"unit"_s);
    m_preprocess->addItem(tr("-1 to 1"), u"signed"_s);
    m_preprocess->addItem(tr("Raw 0 to 255"), u"none"_s);
    m_preprocess->addItem(tr("From a file …"), u"file"_s);
    for (QSpinBox* box : {m_calibration, m_evaluation}) box->setRange(1, 1'000'000);
    m_calibration->setObjectName(u"calibrationSamples"_s);
    m_calibration->setAccessibleName(tr("Samples to calibrate on"));
    m_calibration->setToolTip(tr("Samples that decide the ranges of the activations"));
    m_evaluation->setObjectName(u"evaluationSamples"_s);
    m_evaluation->setAccessibleName(tr("Samples to score on"));
    m_evaluation->setToolTip(tr("Samples that the scores are measured on, at most"));
    m_evaluation->setRange(0, 1'000'000);
    m_evaluation->setSpecialValueText(tr("all"));

    auto* form = plainForm();
    form->addRow(tr("Data"), dataRow);
    form->addRow(tr("Model input"), m_preprocess);
    form->addRow(tr("Calibrate on"), m_calibration);
    form->addRow(tr("Score on"), m_evaluation);
    auto* layout = new QVBoxLayout(part);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addLayout(form);
    return part;
}

QWidget* SetupPanel::createSettingsPart() {
    auto* part = new QWidget(this);
    m_preset->setObjectName(u"quantizationPreset"_s);
    m_preset->setAccessibleName(tr("Preset"));
    for (const QuantizationPreset& preset : quantizationPresets()) m_preset->addItem(preset.title);
    m_preset->addItem(tr("Custom"));
    for (QSpinBox* box : {m_weightBits, m_activationBits}) {
        box->setRange(2, 16);
        box->setSuffix(tr(" bits"));
    }
    m_weightBits->setObjectName(u"weightBits"_s);
    m_weightBits->setAccessibleName(tr("Bits of weights"));
    m_activationBits->setObjectName(u"activationBits"_s);
    m_activationBits->setAccessibleName(tr("Bits of activations"));
    m_granularity->setObjectName(u"granularity"_s);
    m_granularity->setAccessibleName(tr("Granularity of the weights"));
    m_granularity->addItems({tr("Per tensor"), tr("Per channel")});
    m_scheme->setObjectName(u"rangeScheme"_s);
    m_scheme->setAccessibleName(tr("Range scheme"));
    m_scheme->addItems({tr("Min-max"), tr("SQNR"), tr("Percentile"), tr("MSE"), tr("Entropy (KL)")});
    for (QComboBox* box : {m_preset, m_granularity, m_scheme}) makeShrinkable(box);
    m_symmetric->setObjectName(u"symmetricWeights"_s);
    auto* form = plainForm();
    form->addRow(tr("Preset"), m_preset);
    form->addRow(tr("Weights"), m_weightBits);
    form->addRow(tr("Activations"), m_activationBits);
    form->addRow(tr("Granularity"), m_granularity);
    form->addRow(tr("Range scheme"), m_scheme);
    form->addRow(QString(), m_symmetric);
    part->setLayout(form);
    return part;
}

void SetupPanel::connectData() {
    Document& document = m_session.document();
    connect(m_preprocess, &QComboBox::activated, this, [this, &document](int index) {
        const QString choice = m_preprocess->itemData(index).toString();
        if (choice == "file"_L1) {
            refresh();
            emit preprocessFileRequested();
            return;
        }
        document.edit(tr("Model input: %1").arg(m_preprocess->itemText(index)),
                      [&](DocumentState& state) { state.data.preprocess = choice; });
    });
    connect(m_calibration, &QSpinBox::valueChanged, this, [this, &document](int value) {
        if (m_isRefreshing) return;
        document.edit(
            tr("Calibrate on %n sample(s)", nullptr, value),
            [value](DocumentState& state) { state.data.calibrationSamples = value; }, kCalibrationId);
    });
    connect(m_evaluation, &QSpinBox::valueChanged, this, [this, &document](int value) {
        if (m_isRefreshing) return;
        document.edit(
            value == 0 ? tr("Score on all samples") : tr("Score on %n sample(s)", nullptr, value),
            [value](DocumentState& state) { state.data.evaluationSamples = value; }, kEvaluationId);
    });
    for (const auto signal : {&Document::stateChanged, &Document::modelChanged})
        connect(&document, signal, this, &SetupPanel::refresh);
    connect(&document, &Document::dataChanged, this, &SetupPanel::refreshData);
    connect(&m_session, &Session::busyChanged, this, [this] {
        refresh();
        refreshData();
    });
    connect(m_run, &QPushButton::clicked, &m_session, &Session::quantize);
}

void SetupPanel::connectSettings() {
    Document& document = m_session.document();
    const auto edit = [this, &document](const QString& text, const std::function<void(QuantizationSettings&)>& change,
                                        int mergeId = -1) {
        if (!m_isRefreshing)
            document.edit(
                text, [&](DocumentState& state) { change(state.quantization); }, mergeId);
    };
    connect(m_preset, &QComboBox::activated, this, &SetupPanel::applyPreset);
    connect(m_weightBits, &QSpinBox::valueChanged, this, [edit](int bits) {
        edit(
            tr("Weights in %n bit(s)", nullptr, bits), [bits](auto& settings) { settings.weightBits = bits; },
            kWeightBitsId);
    });
    connect(m_activationBits, &QSpinBox::valueChanged, this, [edit](int bits) {
        edit(
            tr("Activations in %n bit(s)", nullptr, bits), [bits](auto& settings) { settings.activationBits = bits; },
            kActivationBitsId);
    });
    connect(m_granularity, &QComboBox::currentIndexChanged, this, [this, edit](int index) {
        edit(tr("Granularity: %1").arg(m_granularity->itemText(index)),
             [index](auto& settings) { settings.isPerChannel = index == 1; });
    });
    connect(m_scheme, &QComboBox::currentIndexChanged, this, [this, edit](int index) {
        edit(tr("Range scheme: %1").arg(m_scheme->itemText(index)),
             [index](auto& settings) { settings.scheme = static_cast<RangeScheme>(index); });
    });
    connect(m_symmetric, &QCheckBox::toggled, this, [edit](bool on) {
        edit(on ? tr("Symmetric weights") : tr("Asymmetric weights"),
             [on](auto& settings) { settings.hasSymmetricWeights = on; });
    });
}

void SetupPanel::applyPreset(int index) {
    const auto& presets = quantizationPresets();
    if (index < 0 || static_cast<std::size_t>(index) >= presets.size()) return;
    const QuantizationPreset& preset = presets[static_cast<std::size_t>(index)];
    m_session.document().edit(tr("Preset %1").arg(preset.title),
                              [&preset](DocumentState& state) { state.quantization = preset.settings; });
}

void SetupPanel::refresh() {
    const Document& document = m_session.document();
    const DocumentState& state = document.state();
    m_isRefreshing = true;
    int choice = m_preprocess->findData(state.data.preprocess);
    if (choice < 0) {  // a file
        m_preprocess->setItemText(m_preprocess->count() - 1, state.data.preprocess.section(u'/', -1));
        choice = m_preprocess->count() - 1;
    } else {
        m_preprocess->setItemText(m_preprocess->count() - 1, tr("From a file …"));
    }
    m_preprocess->setCurrentIndex(choice);
    m_calibration->setValue(state.data.calibrationSamples);
    m_evaluation->setValue(state.data.evaluationSamples);
    m_weightBits->setValue(state.quantization.weightBits);
    m_activationBits->setValue(state.quantization.activationBits);
    m_granularity->setCurrentIndex(state.quantization.isPerChannel ? 1 : 0);
    m_scheme->setCurrentIndex(static_cast<int>(state.quantization.scheme));
    m_symmetric->setChecked(state.quantization.hasSymmetricWeights);
    m_preset->setCurrentIndex(presetOf(state.quantization));
    m_isRefreshing = false;

    m_run->setEnabled(document.data() != nullptr && !m_session.isQuantizing());
    m_run->setText(m_session.isQuantizing()         ? tr("Running …")
                   : document.isQuantizationFresh() ? tr("Run again")
                                                    : tr("Run"));
    m_run->setToolTip(state.data.path.isEmpty() ? tr("Choose data first")
                                                : tr("Calibrates, then scores float and quantized (F5)"));
}

void SetupPanel::refreshData() {
    const Document& document = m_session.document();
    const auto opened = document.data();
    std::vector<PicturePair> pictures;
    if (opened) {
        for (const SamplePicture& picture : opened->pictures)
            pictures.push_back({picture.caption, toQImage(picture.original), toQImage(picture.seen)});
        QString text = toQString(opened->dataset->describe());
        if (!opened->pictures.empty())
            text += u'\n' + toQString(describe(opened->preprocessing.preprocessing)) + u" ("_s +
                    toQString(opened->preprocessing.reason) + u')';
        m_dataText->setText(text);
    } else {
        m_dataText->setText(m_session.isLoadingData() ? tr("Opening the data …")
                            : document.state().data.path.isEmpty()
                                ? tr("Quantized activations need samples to calibrate on. Labels are used when there "
                                     "are any (sub-folders per class, or labels.csv); without them outputs are "
                                     "compared with the float model.")
                                : tr("These data could not be opened."));
    }
    m_pictures->setPictures(std::move(pictures));
}

}  // namespace equant::ui
