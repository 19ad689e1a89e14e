// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/jobs/session.h"

#include <QDir>
#include <QFileInfo>

namespace equant::ui {

using namespace Qt::StringLiterals;

Session::Session(QObject* parent) : QObject(parent) {
    connectSteps();
    connectMessages();
}

/// Compression comes before equalization, and both before quantization: each asks for what it needs, and goes on when
/// that was computed.
void Session::connectSteps() {
    connect(&document(), &Document::stateChanged, this, [this] {
        m_models.ensureData();
        m_plans.ensure();
        m_equalize.ensure();
    });
    connect(&m_models, &ModelJobs::replacing, this, [this] {
        m_equalize.reset();
        m_quantize.reset();
        m_sweeps.reset();
        m_plans.reset();
        m_flow.reset();
    });
    connect(&m_equalize, &EqualizeJobs::baseNeeded, &m_plans, &PlanJobs::ensure);
    connect(&m_equalize, &EqualizeJobs::computed, &m_quantize, &QuantizeJobs::resume);
    connect(&m_quantize, &QuantizeJobs::modelNeeded, this, [this] {
        m_plans.ensure();
        m_equalize.ensure();
    });
    connect(&m_plans, &PlanJobs::compressed, this, [this] {
        if (!document().isBaseReady()) return;
        m_equalize.resume();
        m_quantize.resume();
    });
    const auto forget = [this] {
        m_equalize.forgetPending();
        m_quantize.forgetPending();
    };
    connect(&m_plans, &PlanJobs::stopped, this, forget);
    connect(&m_equalize, &EqualizeJobs::stopped, this, forget);
    connect(&m_flow, &FlowJobs::measureNeeded, &m_plans, &PlanJobs::measure);
}

void Session::connectMessages() {
    connect(&jobs(), &JobRunner::jobsChanged, this, &Session::busyChanged);
    connect(&m_sweeps, &SweepJobs::started, this, &Session::busyChanged);  // only now it is known what runs
    connect(&m_models, &ModelJobs::opened, this, &Session::modelOpened);
    connect(&m_models, &ModelJobs::workspaceChanged, this, &Session::workspaceChanged);
    connect(&m_quantize, &QuantizeJobs::finished, this, &Session::quantizationFinished);
    connect(&m_plans, &PlanJobs::measured, this, &Session::planMeasured);
    connect(&m_flow, &FlowJobs::adopted, this, &Session::planMeasured);
    connect(&m_flow, &FlowJobs::started, this, &Session::flowStarted);
    connect(&m_context, &SessionContext::noticed, this, &Session::noticed);
    connect(&m_context, &SessionContext::failed, this, &Session::failed);
    connect(&m_context, &SessionContext::exported, this, &Session::exported);
}

Session::Source Session::classify(const QString& path) {
    const QFileInfo info(path);
    if (info.isDir()) return Source::Data;
    const QString suffix = info.suffix().toLower();
    if (suffix == "onnx"_L1) return Source::Model;
    if (suffix == "equant"_L1) return Source::Workspace;
    if (suffix == "npy"_L1 || suffix == "npz"_L1) return Source::Data;
    return Source::Unknown;
}

QString Session::modelInFolder(const QString& folder) {
    if (!QFileInfo(folder).isDir()) return {};
    const QDir place(folder);
    const QStringList models = place.entryList({u"*.onnx"_s}, QDir::Files);
    return models.size() == 1 ? place.filePath(models.front()) : QString();
}

bool Session::testDataInFolder(const QString& folder) {
    return !QDir(folder).entryList({u"test_data_set_*"_s}, QDir::Dirs).isEmpty();
}

}  // namespace equant::ui
