// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/window/icons.h"

#include <QApplication>
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPalette>
#include <QSvgRenderer>

// Resources of a static library must be asked for, outside of any namespace.
static void initResources() {
    static const bool isDone = [] {
        Q_INIT_RESOURCE(desktop);
        return true;
    }();
    Q_UNUSED(isDone)
}

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

class SymbolicIconEngine : public QIconEngine {
public:
    explicit SymbolicIconEngine(QByteArray svg) : m_svg(std::move(svg)) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
        const auto group = mode == QIcon::Disabled ? QPalette::Disabled : QPalette::Active;
        const auto role = mode == QIcon::Selected ? QPalette::HighlightedText : QPalette::ButtonText;
        QByteArray coloured = m_svg;
        coloured.replace("#000000", QApplication::palette().color(group, role).name().toLatin1());
        QSvgRenderer(coloured).render(painter, QRectF(rect));
    }
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
        QPixmap pixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        paint(&painter, QRect(QPoint(0, 0), size), mode, state);
        return pixmap;
    }
    QIconEngine* clone() const override { return new SymbolicIconEngine(m_svg); }
    QString key() const override { return u"equant-symbolic"_s; }
    bool isNull() override { return m_svg.isEmpty(); }

private:
    QByteArray m_svg;
};

}  // namespace

QIcon symbolicIcon(const QString& name) {
    initResources();
    QFile file(u":/icons/%1.svg"_s.arg(name));
    return file.open(QIODevice::ReadOnly) ? QIcon(new SymbolicIconEngine(file.readAll())) : QIcon();
}

QIcon applicationIcon() {
    initResources();
    return QIcon(u":/equant.svg"_s);
}

}  // namespace equant::ui
