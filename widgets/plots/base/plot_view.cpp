// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/base/plot_view.h"

#include <QAccessible>
#include <QAccessibleWidget>
#include <QEvent>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "widgets/plots/base/plot_view_internal.h"

namespace equant::plots {
namespace {

/// A plot is one chart to a screen reader: name = finding, description = summary or item under the cursor.
class AccessiblePlot : public QAccessibleWidget {
public:
    explicit AccessiblePlot(PlotView* plot) : QAccessibleWidget(plot, QAccessible::Chart) {}
    int childCount() const override { return 0; }
    QString text(QAccessible::Text kind) const override {
        if (kind == QAccessible::Value) return static_cast<PlotView*>(widget())->readOut();
        return QAccessibleWidget::text(kind);
    }
};

QAccessibleInterface* makeAccessible(const QString&, QObject* object) {
    auto* plot = qobject_cast<PlotView*>(object);
    return plot ? new AccessiblePlot(plot) : nullptr;
}

}  // namespace

void PlotView::Impl::showReadOut(const PointRef& ref, QPoint near) {
    const QString text = point(ref).hover;
    if (text.isEmpty()) return hideReadOut();
    const qsizetype headEnd = text.indexOf(u'\n');
    const QString head = text.left(headEnd).toHtmlEscaped();
    const QString rest =
        headEnd < 0 ? QString() : text.mid(headEnd + 1).toHtmlEscaped().replace(u'\n', QStringLiteral("<br>"));
    readOut->setText(QStringLiteral("<b>%1</b>%2").arg(head, rest.isEmpty() ? rest : QStringLiteral("<br>") + rest));
    readOut->setMaximumWidth(std::max(80, canvas->width() * 3 / 5));
    readOut->adjustSize();
    QPoint at = near + QPoint(14, 14);
    if (at.x() + readOut->width() > canvas->width()) at.setX(near.x() - 14 - readOut->width());
    if (at.y() + readOut->height() > canvas->height()) at.setY(near.y() - 14 - readOut->height());
    readOut->move(std::max(0, at.x()), std::max(0, at.y()));
    readOut->show();
    readOut->raise();
}

void PlotView::Impl::hideReadOut() {
    readOut->hide();
}

std::vector<std::size_t> PlotView::Impl::navigable() const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < scene().series.size(); ++i)
        if (scene().series[i].isNavigable && !scene().series[i].points.empty()) result.push_back(i);
    return result;
}

std::vector<std::size_t> PlotView::Impl::ordered(std::size_t series) const {
    const auto& points = scene().series[series].points;
    std::vector<std::size_t> order(points.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return points[a].x < points[b].x; });
    return order;
}

std::size_t PlotView::Impl::nearest(std::size_t series, double x) const {
    const auto& points = scene().series[series].points;
    const auto it = std::min_element(points.begin(), points.end(), [x](const PlotPoint& a, const PlotPoint& b) {
        return std::abs(a.x - x) < std::abs(b.x - x);
    });
    return static_cast<std::size_t>(it - points.begin());
}

std::optional<PointRef> PlotView::Impl::again(const QString& name, const PlotPoint& point) const {
    std::optional<PointRef> best;
    double least = std::numeric_limits<double>::max();
    for (const std::size_t s : navigable()) {
        const PlotSeries& series = scene().series[s];
        // Cells change their series when they are measured; other marks may move within theirs.
        const double penalty = series.name == name || series.mark == Mark::Cells ? 0.0 : 1e9;
        for (std::size_t p = 0; p < series.points.size(); ++p) {
            if (series.points[p].key != point.key) continue;
            const double distance = penalty + std::hypot(series.points[p].x - point.x, series.points[p].y - point.y);
            if (distance >= least) continue;
            least = distance;
            best = PointRef{s, p};
        }
    }
    return best;
}

std::optional<PointRef> PlotView::Impl::rowBeside(const PointRef& ref, int step) const {
    std::optional<PointRef> best;
    const PlotPoint& from = point(ref);
    double least = std::numeric_limits<double>::max();
    for (const std::size_t s : navigable()) {
        const auto& points = scene().series[s].points;
        for (std::size_t p = 0; p < points.size(); ++p) {
            const double rows = (points[p].y - from.y) * step;
            if (rows < 0.5) continue;
            const double distance = rows * 1e6 + std::abs(points[p].x - from.x);
            if (distance >= least) continue;
            least = distance;
            best = PointRef{s, p};
        }
    }
    return best;
}

std::optional<PointRef> PlotView::Impl::besideInRow(const PointRef& ref, int step, bool toEnd) const {
    std::optional<PointRef> best;
    const PlotPoint& from = point(ref);
    double least = std::numeric_limits<double>::max();
    for (const std::size_t s : navigable()) {
        const auto& points = scene().series[s].points;
        for (std::size_t p = 0; p < points.size(); ++p) {
            const double columns = (points[p].x - from.x) * step;
            if (std::abs(points[p].y - from.y) > 0.5 || columns < 1e-9) continue;
            const double distance = toEnd ? -columns : columns;
            if (distance >= least) continue;
            least = distance;
            best = PointRef{s, p};
        }
    }
    return best;
}

std::optional<PointRef> PlotView::Impl::firstInRows() const {
    std::optional<PointRef> best;
    for (const std::size_t s : navigable())
        for (std::size_t p = 0; p < scene().series[s].points.size(); ++p) {
            const PlotPoint& each = scene().series[s].points[p];
            const bool isSeen = each.y >= canvas->visibleRows().lower;
            if (isSeen && (!best || std::pair(each.y, each.x) < std::pair(point(*best).y, point(*best).x)))
                best = {s, p};
        }
    return best;
}

void PlotView::Impl::flush(PlotView* view) {
    if (!later->isActive()) return;
    later->stop();
    view->rebuild(true);
}

PlotView::PlotView(QWidget* parent) : QWidget(parent), m_impl(std::make_unique<Impl>()) {
    static const bool isFactoryInstalled = (QAccessible::installFactory(makeAccessible), true);
    Q_UNUSED(isFactoryInstalled)
    m_impl->canvas = new PlotCanvas(this);
    m_impl->canvas->setObjectName(QStringLiteral("plotCanvas"));
    m_impl->canvas->installEventFilter(this);
    m_impl->canvas->state().emptyText = tr("Nothing to show yet");
    m_impl->canvas->state().theme = PlotTheme::fromPalette(palette(), font());
    m_impl->readOut = new QLabel(this);
    m_impl->readOut->setObjectName(QStringLiteral("plotReadOut"));
    m_impl->readOut->setAttribute(Qt::WA_TransparentForMouseEvents);
    m_impl->readOut->setTextFormat(Qt::RichText);
    m_impl->readOut->setFrameStyle(QFrame::Box | QFrame::Plain);
    m_impl->readOut->setMargin(4);
    m_impl->readOut->setAutoFillBackground(true);
    m_impl->readOut->setBackgroundRole(QPalette::ToolTipBase);
    m_impl->readOut->setForegroundRole(QPalette::ToolTipText);
    m_impl->readOut->hide();
    m_impl->scrollBar = new QScrollBar(Qt::Vertical, this);
    m_impl->scrollBar->setAccessibleName(tr("Rows"));
    m_impl->scrollBar->hide();
    m_impl->later = new QTimer(this);
    m_impl->later->setSingleShot(true);
    m_impl->later->setInterval(15);
    connect(m_impl->later, &QTimer::timeout, this, [this] { rebuild(true); });
    connect(m_impl->scrollBar, &QScrollBar::valueChanged, this,
            [this](int value) { m_impl->canvas->scrollRowsTo(value / 100.0); });
    connect(m_impl->canvas, &QCustomPlot::afterReplot, this, &PlotView::updateScrollBar);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_impl->canvas, 1);
    layout->addWidget(m_impl->scrollBar);
    setFocusPolicy(Qt::StrongFocus);
    m_impl->canvas->applyScene(false);
}

PlotView::~PlotView() {
    m_impl->canvas->removeEventFilter(this);
}

const PlotScene& PlotView::scene() const {
    // A rebuild that is due is made up for: what is seen of a plot is always its data.
    if (m_impl->later->isActive()) m_impl->flush(const_cast<PlotView*>(this));
    return m_impl->scene();
}

const PlotTheme& PlotView::theme() const {
    return m_impl->canvas->state().theme;
}

void PlotView::setEmptyText(const QString& text) {
    m_impl->canvas->state().emptyText = text;
    if (scene().isEmpty()) setAccessibleDescription(text);
    m_impl->canvas->replot(QCustomPlot::rpQueuedReplot);
}

QString PlotView::emptyText() const {
    return m_impl->canvas->state().emptyText;
}

void PlotView::setTitle(const QString& title) {
    m_impl->canvas->state().titleOverride = title;
    setAccessibleName(this->title());
    m_impl->canvas->replot(QCustomPlot::rpQueuedReplot);
}

QString PlotView::title() const {
    return m_impl->canvas->state().title();
}

void PlotView::setSelection(const QStringList& keys) {
    const QSet<QString> wanted(keys.begin(), keys.end());
    if (wanted == m_impl->canvas->state().selection) return;
    m_impl->canvas->state().selection = wanted;
    m_impl->canvas->state().updateFading();
    if (keys.size() == 1) ensureVisible(keys.front());
    m_impl->canvas->replot(QCustomPlot::rpQueuedReplot);
}

QStringList PlotView::selection() const {
    QStringList keys = m_impl->canvas->state().selection.values();
    keys.sort();
    return keys;
}

void PlotView::selectByUser(const QStringList& keys) {
    const QStringList old = selection();
    setSelection(keys);
    if (selection() != old) emit selectionChanged(selection());
}

void PlotView::setLogScale(bool on) {
    if (on == m_impl->isLogScale) return;
    m_impl->isLogScale = on;
    rebuild();
    emit logScaleChanged(on);
}

bool PlotView::isLogScale() const {
    return m_impl->isLogScale;
}

void PlotView::resetView() {
    m_impl->canvas->resetView();
    m_impl->canvas->replot(QCustomPlot::rpQueuedReplot);
}

std::pair<double, double> PlotView::visibleX() const {
    const QCPRange range = m_impl->canvas->xAxis->range();
    return {fromAxis(scene().x, range.lower), fromAxis(scene().x, range.upper)};
}

std::pair<double, double> PlotView::visibleY() const {
    const QCPRange range = m_impl->canvas->yAxis->range();
    return {fromAxis(scene().y, range.lower), fromAxis(scene().y, range.upper)};
}

QString PlotView::cursorKey() const {
    return m_impl->cursor ? m_impl->point(*m_impl->cursor).key : QString();
}

QString PlotView::readOut() const {
    const auto& ref = m_impl->cursor ? m_impl->cursor : m_impl->hovered;
    return ref ? m_impl->point(*ref).hover : QString();
}

QPointF PlotView::pointPosition(const QString& seriesName, const QString& key) const {
    const auto& series = scene().series;
    m_impl->canvas->replot(QCustomPlot::rpQueuedRefresh);  // positions follow the last layout
    for (std::size_t s = 0; s < series.size(); ++s) {
        if (series[s].name != seriesName) continue;
        for (std::size_t p = 0; p < series[s].points.size(); ++p)
            if (series[s].points[p].key == key) return m_impl->canvas->pixelOf({s, p});
    }
    return {};
}

void PlotView::lineMoved(const QString&, double, bool) {}

void PlotView::pointMoved(const QString&, const PlotPoint&, QPointF, bool) {}

void PlotView::pointActivated(const QString&, const PlotPoint&) {}

bool PlotView::isSelectable(const QString&) const {
    return true;
}

const PlotPoint* PlotView::pointOfInterest() const {
    const auto& ref = m_impl->hovered ? m_impl->hovered : m_impl->cursor;
    return ref ? &m_impl->point(*ref) : nullptr;
}

void PlotView::rebuildSoon() {
    if (!m_impl->later->isActive()) m_impl->later->start();
}

void PlotView::rebuild(bool keepView) {
    m_impl->later->stop();
    const PlotScene old = std::exchange(m_impl->canvas->state().scene, buildScene());
    const auto again = [&](std::optional<PointRef>& ref) {
        if (!ref) return;
        const PlotSeries& series = old.series[ref->series];
        ref = keepView ? m_impl->again(series.name, series.points[ref->point]) : std::nullopt;
    };
    again(m_impl->hovered);
    again(m_impl->cursor);
    m_impl->canvas->applyScene(keepView);
    setAccessibleName(title());
    setAccessibleDescription(m_impl->cursor      ? m_impl->point(*m_impl->cursor).hover
                             : scene().isEmpty() ? emptyText()
                                                 : scene().summary);
    const auto& shown = m_impl->hovered ? m_impl->hovered : m_impl->cursor;
    m_impl->canvas->setCursorPoint(shown);
    if (!shown)
        m_impl->hideReadOut();
    else if (m_impl->readOut->isVisible())
        m_impl->showReadOut(*shown, m_impl->canvas->pixelOf(*shown).toPoint());
}

void PlotView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    const bool concernsTheme = event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange ||
                               event->type() == QEvent::StyleChange || event->type() == QEvent::ApplicationFontChange;
    if (concernsTheme) {
        m_impl->canvas->state().theme = PlotTheme::fromPalette(palette(), font());
        m_impl->canvas->applyTheme();
    } else if (event->type() == QEvent::LanguageChange || event->type() == QEvent::LocaleChange) {
        rebuild(true);
    }
}

void PlotView::moveCursor(int step, bool toEnd) {
    const std::vector<std::size_t> series = m_impl->navigable();
    if (series.empty()) return;
    if (!m_impl->cursor && scene().pick == Pick::Row) return setCursor(m_impl->firstInRows());
    if (!m_impl->cursor) {
        const std::vector<std::size_t> order = m_impl->ordered(series.front());
        return setCursor(PointRef{series.front(), step > 0 && !toEnd ? order.front() : order.back()});
    }
    if (scene().pick == Pick::Row) {
        if (const auto next = m_impl->besideInRow(*m_impl->cursor, step, toEnd)) setCursor(next);
        return;
    }
    const std::vector<std::size_t> order = m_impl->ordered(m_impl->cursor->series);
    const auto at = std::find(order.begin(), order.end(), m_impl->cursor->point) - order.begin();
    const auto last = static_cast<std::ptrdiff_t>(order.size()) - 1;
    const auto next = toEnd ? (step < 0 ? 0 : last) : std::clamp<std::ptrdiff_t>(at + step, 0, last);
    setCursor(PointRef{m_impl->cursor->series, order[static_cast<std::size_t>(next)]});
}

bool PlotView::changeSeries(int step) {
    const std::vector<std::size_t> series = m_impl->navigable();
    if (!m_impl->cursor) return false;
    const auto at = std::find(series.begin(), series.end(), m_impl->cursor->series) - series.begin() + step;
    if (at < 0 || at >= static_cast<std::ptrdiff_t>(series.size())) return false;
    const std::size_t next = series[static_cast<std::size_t>(at)];
    setCursor(PointRef{next, m_impl->nearest(next, m_impl->point(*m_impl->cursor).x)});
    return true;
}

bool PlotView::moveRow(int step) {
    if (scene().pick != Pick::Row || m_impl->navigable().empty()) return false;
    if (!m_impl->cursor) {
        moveCursor(1, false);
        return true;
    }
    if (const auto next = m_impl->rowBeside(*m_impl->cursor, step)) setCursor(next);
    return true;
}

void PlotView::setCursor(std::optional<PointRef> ref) {
    m_impl->cursor = ref;
    m_impl->canvas->setCursorPoint(ref);
    if (!ref) {
        m_impl->hideReadOut();
        setAccessibleDescription(scene().isEmpty() ? emptyText() : scene().summary);
        emit itemHovered(QString());
        return;
    }
    const PlotPoint& point = m_impl->point(*ref);
    const double x = toAxis(scene().x, point.x);
    QCPAxis* axis = m_impl->canvas->xAxis;
    if (!axis->range().contains(x)) {  // scroll a zoomed plot to the cursor
        axis->setRange(x, axis->range().size(), Qt::AlignCenter);
        m_impl->canvas->replot();
    }
    if (m_impl->canvas->hasRows()) {
        m_impl->showRow(point.y);
        m_impl->canvas->replot();
    }
    m_impl->showReadOut(*ref, m_impl->canvas->pixelOf(*ref).toPoint());
    setAccessibleDescription(point.hover);
    emit itemHovered(point.key);
}

void PlotView::activate(PointRef ref, bool toggles) {
    const PlotPoint point = m_impl->point(ref);
    const QString series = scene().series[ref.series].name;
    const QString key = point.key;
    if (key.isEmpty()) return;
    if (!isSelectable(key)) return pointActivated(series, point);
    QStringList keys{key};
    if (toggles) {
        keys = selection();
        if (keys.contains(key))
            keys.removeAll(key);
        else
            keys += key;
    }
    selectByUser(keys);
    if (!toggles) pointActivated(series, point);
    emit itemActivated(key);
}

void PlotView::zoomBy(double factor) {
    PlotCanvas* canvas = m_impl->canvas;
    if (canvas->hasRows()) return canvas->zoomRows(1.0 / factor, canvas->axisRect()->center().y());
    const bool hasCursor = m_impl->cursor.has_value();
    const double centre =
        hasCursor ? toAxis(scene().x, m_impl->point(*m_impl->cursor).x) : canvas->xAxis->range().center();
    canvas->setZoomed(true);
    canvas->xAxis->scaleRange(factor, centre);
    if (scene().pick == Pick::Nearest) canvas->yAxis->scaleRange(factor);
    canvas->replot(QCustomPlot::rpQueuedReplot);
}

void PlotView::keyPressEvent(QKeyEvent* event) {
    const bool toggles = event->modifiers() & Qt::ControlModifier;
    switch (event->key()) {
        case Qt::Key_Left:
            return moveCursor(-1, false);
        case Qt::Key_Right:
            return moveCursor(1, false);
        case Qt::Key_Home:
            return moveCursor(-1, true);
        case Qt::Key_End:
            return moveCursor(1, true);
        case Qt::Key_Up:
            if (!moveRow(-1) && !changeSeries(-1)) break;
            return;
        case Qt::Key_Down:
            if (!moveRow(1) && !changeSeries(1)) break;
            return;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (m_impl->cursor) return activate(*m_impl->cursor, toggles);
            break;
        case Qt::Key_Escape:
            if (cancelDrag()) return;
            if (m_impl->cursor) return setCursor(std::nullopt);
            if (!selection().isEmpty()) return selectByUser({});
            break;
        case Qt::Key_0:
            return resetView();
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoomBy(0.8);
        case Qt::Key_Minus:
            return zoomBy(1.25);
        case Qt::Key_L:
            if (scene().canToggleLog) return setLogScale(!isLogScale());
            break;
        case Qt::Key_C:
            if (toggles) return copyData();
            break;
        default:
            break;
    }
    QWidget::keyPressEvent(event);
}

bool PlotView::focusNextPrevChild(bool next) {
    // Tab walks the series first; after the last one it leaves the plot, so that nobody is trapped in it.
    if (changeSeries(next ? 1 : -1)) return true;
    return QWidget::focusNextPrevChild(next);
}

void PlotView::focusOutEvent(QFocusEvent* event) {
    QWidget::focusOutEvent(event);
    if (m_impl->cursor && event->reason() != Qt::PopupFocusReason) setCursor(std::nullopt);
}

void PlotView::contextMenuEvent(QContextMenuEvent* event) {  // from the keyboard: the mouse's goes to the canvas
    std::unique_ptr<QMenu> menu(createContextMenu());
    menu->exec(m_impl->cursor ? mapToGlobal(m_impl->canvas->pixelOf(*m_impl->cursor).toPoint()) : event->globalPos());
}

QMenu* PlotView::createContextMenu() {
    auto* menu = new QMenu(this);
    const bool hasData = !scene().isEmpty();
    const auto add = [&](const QString& text, auto slot) {
        QAction* action = menu->addAction(text, this, slot);
        action->setEnabled(hasData);
        return action;
    };
    add(tr("Copy &image"), &PlotView::copyImage);
    add(tr("Copy &data"), &PlotView::copyData);
    add(tr("&Save as PNG, SVG, PDF or CSV…"), &PlotView::saveAs);
    add(tr("Show &table"), &PlotView::showTable);
    add(tr("Add to &report"), &PlotView::addToReportRequested);
    menu->addSeparator();
    if (scene().canToggleLog) {
        QAction* log = add(tr("&Logarithmic scale (L)"), [this] { setLogScale(!isLogScale()); });
        log->setCheckable(true);
        log->setChecked(isLogScale());
    }
    add(tr("Reset &view (0)"), &PlotView::resetView);
    return menu;
}

}  // namespace equant::plots
