// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/panels/stage_rail.h"

#include <QAbstractButton>
#include <QButtonGroup>
#include <QPainter>
#include <QStyleOptionFocusRect>
#include <QVBoxLayout>

#include "widgets/plots/base/plot_theme.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kWideWidth = 176;
constexpr int kCompactWidth = 52;
}  // namespace

/// Number and icon, title, and a muted state line below.
class StageButton : public QAbstractButton {
public:
    explicit StageButton(QWidget* parent) : QAbstractButton(parent) {
        setCheckable(true);
        setFocusPolicy(Qt::TabFocus);
        setAttribute(Qt::WA_Hover);
    }
    QString stateText;
    bool isDone = false;
    bool isStrong = false;
    bool isCompact = false;

    QSize sizeHint() const override {
        return {isCompact ? kCompactWidth - 8 : kWideWidth - 8, isCompact ? 44 : fontMetrics().height() * 2 + 22};
    }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const auto theme = plots::PlotTheme::fromPalette(palette(), font());
        const QColor window = palette().color(QPalette::Window);
        const QRectF area = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
        if (isChecked() || underMouse()) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(plots::mixed(window, theme.accent, isChecked() ? 0.18 : 0.08));
            painter.drawRoundedRect(area, 6, 6);
        }
        if (isChecked()) {
            painter.setBrush(theme.accent);
            painter.drawRoundedRect(QRectF(0, 8, 3, height() - 16), 1.5, 1.5);
        }
        const bool isOn = isEnabled();
        const int iconX = isCompact ? (width() - 20) / 2 : 12;
        icon().paint(&painter, QRect(iconX, (height() - 20) / 2, 20, 20), Qt::AlignCenter,
                     isOn ? QIcon::Normal : QIcon::Disabled);
        if (!isCompact) {
            const QRect text = rect().adjusted(40, 8, -6, -8);
            QFont bold = font();
            bold.setWeight(isChecked() ? QFont::DemiBold : QFont::Normal);
            painter.setFont(bold);
            painter.setPen(palette().color(isOn ? QPalette::Active : QPalette::Disabled, QPalette::WindowText));
            painter.drawText(text, Qt::AlignLeft | Qt::AlignTop, this->text());
            painter.setFont(font());
            QFont small = font();
            small.setPointSizeF(small.pointSizeF() * 0.88);
            painter.setFont(small);
            painter.setPen(isStrong && isOn ? theme.alert : palette().color(QPalette::Disabled, QPalette::WindowText));
            const QString line = isDone ? u"✓ "_s + stateText : stateText;
            painter.drawText(text, Qt::AlignLeft | Qt::AlignBottom,
                             QFontMetrics(small).elidedText(line, Qt::ElideRight, text.width()));
        }
        if (hasFocus()) {
            painter.setPen(QPen(theme.accent, 1, Qt::DotLine));
            painter.setBrush(Qt::NoBrush);
            painter.drawRoundedRect(area, 6, 6);
        }
    }
};

StageRail::StageRail(QWidget* parent)
    : QWidget(parent), m_group(new QButtonGroup(this)), m_layout(new QVBoxLayout(this)) {
    setObjectName(u"stageRail"_s);
    setAccessibleName(tr("Stages"));
    m_layout->setContentsMargins(4, 8, 4, 8);
    m_layout->setSpacing(4);
    m_layout->addStretch(1);
    m_group->setExclusive(true);
    setFixedWidth(kWideWidth);
    connect(m_group, &QButtonGroup::idClicked, this, &StageRail::activated);
}

int StageRail::addStage(const QString& title, const QIcon& icon) {
    const int stage = static_cast<int>(m_buttons.size());
    auto* button = new StageButton(this);
    button->setText(title);
    button->setIcon(icon);
    button->setObjectName(u"stage%1"_s.arg(stage + 1));
    button->setAccessibleName(title);
    button->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    m_group->addButton(button, stage);
    m_buttons.push_back(button);
    m_layout->insertWidget(stage, button);
    return stage;
}

void StageRail::setStageState(int stage, const QString& text, bool isDone, bool isStrong) {
    StageButton* button = m_buttons[stage];
    button->stateText = text;
    button->isDone = isDone;
    button->isStrong = isStrong;
    button->setAccessibleDescription(text);
    button->setToolTip(button->text() + u": "_s + text);
    button->update();
}

void StageRail::setCurrent(int stage) {
    if (stage >= 0 && stage < m_buttons.size()) return m_buttons[stage]->setChecked(true);
    m_group->setExclusive(false);
    for (StageButton* button : m_buttons) button->setChecked(false);
    m_group->setExclusive(true);
}

int StageRail::current() const {
    return m_group->checkedId();
}

QWidget* StageRail::button(int stage) const {
    return m_buttons[stage];
}

void StageRail::setCompact(bool on) {
    if (on == m_isCompact) return;
    m_isCompact = on;
    setFixedWidth(on ? kCompactWidth : kWideWidth);
    for (StageButton* button : m_buttons) {
        button->isCompact = on;
        button->updateGeometry();
        button->update();
    }
}

}  // namespace equant::ui
