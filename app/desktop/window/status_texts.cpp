// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/status_texts.h"

#include <QLabel>
#include <QStatusBar>
#include <QTimer>

#include "app/desktop/jobs/session.h"
#include "widgets/bridge/text.h"
#include "widgets/models/layer_model.h"
#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

StatusTexts::StatusTexts(Session& session, const LayerModel* layers, QStatusBar* bar)
    : QObject(bar), m_session(session), m_layers(layers) {
    m_selectionText = new QLabel(bar);
    m_selectionText->setObjectName(u"selectionText"_s);
    m_selectionText->setTextFormat(Qt::PlainText);
    m_selectionText->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_jobText = new QLabel(bar);
    m_memoryText = new QLabel(bar);
    m_memoryText->setToolTip(tr("Memory this program uses"));
    bar->setObjectName(u"statusBar"_s);
    bar->addWidget(m_selectionText, 1);
    bar->addPermanentWidget(m_jobText);
    bar->addPermanentWidget(m_memoryText);
    auto* timer = new QTimer(this);
    timer->setInterval(2000);
    connect(timer, &QTimer::timeout, this, &StatusTexts::refresh);
    timer->start();
    connect(&session.selection(), &Selection::changed, this, &StatusTexts::refresh);
    connect(&session.jobs(), &JobRunner::progressed, this, &StatusTexts::refresh);
    refresh();
}

QString StatusTexts::selectionText() const {
    const Document& document = m_session.document();
    const QStringList& layers = m_session.selection().layers();
    QString text;
    if (m_session.isOpening()) {
        text = tr("Opening …");
    } else if (!document.hasModel()) {
        text = tr("No model open");
    } else if (layers.isEmpty()) {
        text = tr("%n layer(s), none selected", nullptr, m_layers->rowCount());
    } else {
        double parameters = 0;
        double macs = 0;
        for (const QString& name : layers) {
            const int row = m_layers->rowOf(name);
            if (row < 0) continue;
            parameters += m_layers->rows()[static_cast<std::size_t>(row)].parameterShare;
            macs += m_layers->rows()[static_cast<std::size_t>(row)].macShare;
        }
        text = layers.size() == 1 ? layers.front() : tr("%n layers selected", nullptr, static_cast<int>(layers.size()));
        text += tr(": %1 of the parameters, %2 of the MACs")
                    .arg(percentOrDash(100 * parameters), percentOrDash(100 * macs));
    }
    return text;
}

void StatusTexts::refresh() {
    m_selectionText->setText(selectionText());
    QString running;
    for (const Job* job : m_session.jobs().jobs()) {
        if (!job->isRunning()) continue;
        running = job->title();
        if (job->fraction() >= 0) running += u" "_s + percentOrDash(100 * job->fraction());
    }
    m_jobText->setText(running);
    const qint64 memory = residentBytes();
    m_memoryText->setText(memory > 0 ? plots::bytesText(static_cast<double>(memory)) : QString());
}

}  // namespace equant::ui
