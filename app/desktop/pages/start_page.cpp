// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/pages/start_page.h"

#include <QFileInfo>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include "app/desktop/document/recent_files.h"
#include "app/desktop/window/icons.h"
#include "widgets/plots/base/plot_theme.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

/// The dashed frame that invites to drop something; the window itself takes the drop.
class DropZone : public QWidget {
public:
    explicit DropZone(QWidget* parent) : QWidget(parent) {}

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const auto theme = plots::PlotTheme::fromPalette(palette(), font());
        painter.setPen(QPen(theme.muted, 1.5, Qt::DashLine));
        painter.setBrush(theme.background);
        painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 10, 10);
    }
};

QLabel* label(const QString& text, double size, bool isMuted, QWidget* parent) {
    auto* result = new QLabel(text, parent);
    QFont font = result->font();
    font.setPointSizeF(font.pointSizeF() * size);
    if (size > 1.2) font.setWeight(QFont::DemiBold);
    result->setFont(font);
    result->setWordWrap(true);
    if (isMuted) result->setForegroundRole(QPalette::PlaceholderText);
    return result;
}

}  // namespace

StartPage::StartPage(RecentFiles* recent, QWidget* parent) : QWidget(parent), m_recent(recent) {
    setObjectName(u"startPage"_s);
    auto* content = new QWidget;
    content->setMaximumWidth(720);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(24, 32, 24, 24);
    column->setSpacing(8);
    column->addWidget(label(tr("Make a trained network ready for fixed-point hardware"), 1.7, false, content));
    column->addWidget(
        label(tr("See uneven channel ranges, equalize them without changing the network's function, compress "
                 "layers, and measure the accuracy at 8 bits. Nothing leaves this computer."),
              1.0, true, content));
    column->addSpacing(16);

    column->addWidget(createDropZone(content));
    column->addSpacing(16);
    column->addWidget(createRecent(content));
    column->addStretch(1);

    auto* outer = new QWidget;
    auto* centring = new QHBoxLayout(outer);
    centring->setContentsMargins(0, 0, 0, 0);
    centring->addStretch(1);
    centring->addWidget(content, 100);
    centring->addStretch(1);
    auto* scroll = new QScrollArea(this);
    scroll->setWidget(outer);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(scroll);

    connect(recent, &RecentFiles::changed, this, &StartPage::fillRecent);
    fillRecent();
}

QWidget* StartPage::createDropZone(QWidget* parent) {
    auto* zone = new DropZone(parent);
    auto* zoneLayout = new QVBoxLayout(zone);
    zoneLayout->setContentsMargins(24, 24, 24, 24);
    zoneLayout->setSpacing(12);
    auto* invitation = label(tr("Drop an ONNX model here"), 1.25, false, zone);
    invitation->setAlignment(Qt::AlignCenter);
    zoneLayout->addWidget(invitation);
    auto* buttons = new QHBoxLayout;
    auto* open = new QPushButton(symbolicIcon(u"open"_s), tr("Open model …"), zone);
    open->setObjectName(u"startOpen"_s);
    auto* sample = new QPushButton(symbolicIcon(u"sample"_s), tr("Try the sample"), zone);
    sample->setObjectName(u"startSample"_s);
    sample->setToolTip(tr("A small MobileNetV2-style network with 400 labelled pictures"));
    for (QPushButton* button : {open, sample}) button->setMinimumSize(148, 32);
    buttons->addStretch(1);
    buttons->addWidget(open);
    buttons->addSpacing(8);
    buttons->addWidget(sample);
    buttons->addStretch(1);
    zoneLayout->addLayout(buttons);
    auto* what = label(tr("The sample classifier loses most of its accuracy at 8 bits; equalization restores it."),
                       0.95, true, zone);
    what->setAlignment(Qt::AlignCenter);
    zoneLayout->addWidget(what);
    connect(open, &QPushButton::clicked, this, &StartPage::openRequested);
    connect(sample, &QPushButton::clicked, this, &StartPage::sampleRequested);
    return zone;
}

QWidget* StartPage::createRecent(QWidget* parent) {
    m_recentBox = new QWidget(parent);
    auto* recentLayout = new QVBoxLayout(m_recentBox);
    recentLayout->setContentsMargins(0, 0, 0, 0);
    recentLayout->addWidget(label(tr("Recent models"), 1.25, false, m_recentBox));
    m_list = new QListWidget(m_recentBox);
    m_list->setObjectName(u"recentList"_s);
    m_list->setAccessibleName(tr("Recent models"));
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->viewport()->setAutoFillBackground(false);
    m_list->setTextElideMode(Qt::ElideMiddle);
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setContextMenuPolicy(Qt::CustomContextMenu);
    recentLayout->addWidget(m_list);
    const auto activate = [this](const QListWidgetItem* item) {
        if (item->flags() & Qt::ItemIsEnabled) emit recentRequested(item->data(Qt::UserRole).toString());
    };
    connect(m_list, &QListWidget::itemClicked, this, activate);
    connect(m_list, &QListWidget::customContextMenuRequested, this, [this](QPoint position) {
        const QListWidgetItem* item = m_list->itemAt(position);
        if (!item) return;
        QMenu menu(this);
        const QString path = item->data(Qt::UserRole).toString();
        menu.addAction(tr("Remove from this list"), this, [this, path] { m_recent->remove(path); });
        menu.exec(m_list->viewport()->mapToGlobal(position));
    });
    return m_recentBox;
}

void StartPage::fillRecent() {
    m_list->clear();
    const int rowHeight = 2 * fontMetrics().height() + 12;
    for (const QString& path : m_recent->paths()) {
        const QFileInfo info(path);
        const bool isThere = info.exists();
        auto* item = new QListWidgetItem(m_list);
        item->setText(isThere ? info.fileName() + u"\n"_s + info.absolutePath()
                              : tr("%1 (missing)").arg(info.fileName()) + u"\n"_s + info.absolutePath());
        item->setData(Qt::UserRole, path);
        item->setSizeHint({0, rowHeight});
        item->setToolTip(path);
        if (!isThere) item->setFlags(item->flags() & ~Qt::ItemIsEnabled);
    }
    m_recentBox->setVisible(m_list->count() > 0);
    const int rows = std::min(m_list->count(), 6);
    m_list->setFixedHeight(rows * rowHeight + 4);
}

}  // namespace equant::ui
