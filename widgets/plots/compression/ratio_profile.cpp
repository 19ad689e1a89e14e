// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/compression/ratio_profile.h"

#include <QKeyEvent>
#include <QMenu>
#include <algorithm>
#include <cmath>

namespace equant::plots {

RatioProfile::RatioProfile(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Open a model to choose a ratio for each layer."));
    rebuild();
}

void RatioProfile::setData(RatioProfileData content) {
    m_data = std::move(content);
    m_rows.clear();
    m_dragStart.clear();
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        m_rows.insert(m_data.layers[i].key, static_cast<int>(i));
        auto& item = m_data.layers[i];
        if (item.legalTexts.size() != static_cast<qsizetype>(item.legal.size())) item.legalTexts.clear();
    }
    rebuild(true);
}

void RatioProfile::setRatio(const QString& key, double ratio) {
    setRatios({{key, ratio}});
}

void RatioProfile::setRatios(const QList<RatioChange>& changes) {
    bool isChanged = false;
    for (const RatioChange& change : changes) {
        const int row = m_rows.value(change.key, -1);
        if (row < 0) continue;
        double& chosen = m_data.layers[static_cast<std::size_t>(row)].chosen;
        isChanged |= chosen != change.ratio;
        chosen = change.ratio;
    }
    if (isChanged) rebuildSoon();
}

void RatioProfile::setLocked(const QString& key, bool isLocked) {
    const int row = m_rows.value(key, -1);
    if (row < 0) return;
    m_data.layers[static_cast<std::size_t>(row)].isLocked = isLocked;
    rebuildSoon();
}

const RatioItem* RatioProfile::find(const QString& key) const {
    const int row = m_rows.value(key, -1);
    return row < 0 ? nullptr : &m_data.layers[static_cast<std::size_t>(row)];
}

double RatioProfile::ratio(const QString& key) const {
    const RatioItem* item = find(key);
    return item ? item->chosen : kNone;
}

QStringList RatioProfile::concerned() const {
    // What the cursor is on, and with it the selection when it belongs to it; without a cursor the selection.
    const QString at = cursorKey();
    QStringList chosen;
    for (const RatioItem& item : m_data.layers)
        if (selection().contains(item.key)) chosen += item.key;
    return at.isEmpty() || chosen.contains(at) ? chosen : QStringList{at};
}

QStringList RatioProfile::movable(const QStringList& keys) const {
    QStringList result;
    for (const QString& key : keys) {
        const RatioItem* item = find(key);
        if (item && !item->isLocked && item->skipReason.isEmpty() && std::isfinite(item->chosen)) result += key;
    }
    return result;
}

double RatioProfile::snapped(const RatioItem& item, double ratio) const {
    if (item.legal.empty()) {
        const double step = m_data.step > 0.0 ? m_data.step : 0.01;
        return std::clamp(std::round(ratio / step) * step, std::max(step, m_data.lowest), 1.0);
    }
    return *std::min_element(item.legal.begin(), item.legal.end(),
                             [ratio](double a, double b) { return std::abs(a - ratio) < std::abs(b - ratio); });
}

double RatioProfile::stepped(const RatioItem& item, int direction) const {
    const double wanted = snapped(item, item.chosen + direction * m_data.step);
    if ((wanted - item.chosen) * direction > 1e-9 || item.legal.empty()) return wanted;
    // Legal ratios lie farther apart than a step: the next one.
    double next = item.chosen;
    for (const double legal : item.legal) {
        const double distance = (legal - item.chosen) * direction;
        if (distance > 1e-9 && (next == item.chosen || distance < (next - item.chosen) * direction)) next = legal;
    }
    return next;
}

QString RatioProfile::meaningOf(const RatioItem& item) const {
    for (std::size_t i = 0; i < item.legal.size() && !item.legalTexts.isEmpty(); ++i)
        if (std::abs(item.legal[i] - item.chosen) < 1e-9) return item.legalTexts[static_cast<qsizetype>(i)];
    return {};
}

QString RatioProfile::hoverOf(const RatioItem& item) const {
    if (!item.skipReason.isEmpty()) return item.label + u'\n' + tr("cannot be compressed: %1").arg(item.skipReason);
    QString text = item.label + u'\n' + tr("chosen %1").arg(percentText(100.0 * item.chosen));
    const QString meaning = meaningOf(item);
    if (!meaning.isEmpty()) text += QStringLiteral(" · ") + meaning;
    if (std::isfinite(item.suggested)) text += u'\n' + tr("suggested %1").arg(percentText(100.0 * item.suggested));
    if (item.isLocked) text += u'\n' + tr("locked: Space unlocks");
    return text;
}

void RatioProfile::setAxes(PlotScene& scene, double leftmost) const {
    scene.x.title = m_data.costName.isEmpty() ? tr("Cost left in the layer (%)")
                                              : tr("%1 left in the layer (%)").arg(m_data.costName);
    scene.x.lower = std::max(0.0, leftmost - 3.0);
    scene.x.upper = 103.0;
    scene.y.ticks = Ticks::Names;
    scene.y.isReversed = true;
    scene.y.leastSpacing = 16.0;
    scene.y.lower = -0.5;
    scene.y.upper = static_cast<double>(m_data.layers.size()) - 0.5;
    scene.pick = Pick::Row;
}

PlotScene RatioProfile::buildScene() const {
    PlotScene scene;
    if (m_data.layers.empty()) return scene;
    PlotSeries change{.name = tr("Change"),
                      .mark = Mark::Connectors,
                      .ink = {Role::Muted},
                      .isInLegend = false,
                      .isNavigable = false};
    PlotSeries suggested{
        .name = tr("Suggested"), .ink = {Role::Before}, .isFilled = false, .isNavigable = false, .size = 13.0};
    PlotSeries chosen{.name = tr("Chosen"), .ink = {Role::After}, .size = 9.0};
    PlotSeries locked{.name = tr("Locked"), .ink = {Role::After}, .symbol = Symbol::Padlock, .size = 11.0};
    PlotSeries skipped{.name = tr("Cannot be compressed"), .ink = {Role::Muted}, .symbol = Symbol::Cross, .size = 6.0};
    chosen.isDraggable = true;
    int edited = 0;
    double leftmost = 100.0 * m_data.lowest;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        const RatioItem& item = m_data.layers[i];
        const auto y = static_cast<double>(i);
        scene.y.names += item.label;
        if (!item.skipReason.isEmpty()) {
            skipped.points.push_back({.key = item.key, .x = 100.0, .y = y, .hover = hoverOf(item)});
            continue;
        }
        if (!std::isfinite(item.chosen)) {
            ++scene.skipped;
            continue;
        }
        const bool hasSuggestion = std::isfinite(item.suggested);
        const double x = 100.0 * item.chosen;
        leftmost = std::min({leftmost, x, hasSuggestion ? 100.0 * item.suggested : x});
        if (hasSuggestion) {
            suggested.points.push_back({.key = item.key, .x = 100.0 * item.suggested, .y = y});
            if (std::abs(item.suggested - item.chosen) > 1e-9) {
                ++edited;
                change.points.push_back({.key = item.key, .x = x, .y = y, .x2 = 100.0 * item.suggested, .y2 = y});
            }
        }
        (item.isLocked ? locked : chosen).points.push_back({.key = item.key, .x = x, .y = y, .hover = hoverOf(item)});
    }
    setAxes(scene, leftmost);
    const int lockedCount = static_cast<int>(locked.points.size());
    const int count = static_cast<int>(chosen.points.size() + locked.points.size());
    scene.title = suggested.points.empty() ? tr("Ratios of %n layers", nullptr, count)
                  : edited == 0            ? tr("All %n layers follow the suggestion", nullptr, count)
                                : tr("%1 of %n layers differ from the suggestion", nullptr, count).arg(edited);
    if (lockedCount > 0) scene.title += tr(", %n locked", nullptr, lockedCount);
    scene.detail = tr("Drag dots; arrows step, Space locks, Home takes the suggestion");
    scene.isDetailForUser = true;
    scene.summary = scene.title + u'.';
    scene.series = {std::move(change), std::move(suggested), std::move(skipped), std::move(chosen), std::move(locked)};
    return scene;
}

void RatioProfile::pointMoved(const QString&, const PlotPoint& point, QPointF value, bool isFinished) {
    if (m_dragStart.isEmpty()) {
        const bool isInSelection = selection().contains(point.key);
        for (const QString& key : movable(isInSelection ? selection() : QStringList{point.key}))
            m_dragStart.append({key, ratio(key)});
    }
    const double offset = (value.x() - point.x) / 100.0;
    QList<RatioChange> changes;
    bool isChanged = false;
    for (const RatioChange& start : std::as_const(m_dragStart)) {
        const RatioItem* item = find(start.key);
        if (!item) continue;
        // Back at the start nothing snaps: a ratio that is not legal any more comes back as it was.
        const double next = std::abs(offset) < 1e-9 ? start.ratio : snapped(*item, start.ratio + offset);
        isChanged |= next != item->chosen;
        changes.append({start.key, next});
    }
    if (isFinished) m_dragStart.clear();
    if (!isChanged && !isFinished) return;
    setRatios(changes);
    if (!changes.isEmpty()) emit ratiosDragged(changes, isFinished);
}

void RatioProfile::step(int direction) {
    QList<RatioChange> changes;
    for (const QString& key : movable(concerned())) {
        const RatioItem* item = find(key);
        const double next = stepped(*item, direction);
        if (next != item->chosen) changes.append({key, next});
    }
    if (changes.isEmpty()) return;
    setRatios(changes);
    rebuild(true);
    emit ratiosDragged(changes, true);
}

void RatioProfile::keyPressEvent(QKeyEvent* event) {
    const QStringList keys = concerned();
    const bool hasTarget = !keys.isEmpty();
    switch (event->key()) {
        case Qt::Key_Left:
        case Qt::Key_BracketLeft:
            if (hasTarget) return step(-1);
            break;
        case Qt::Key_Right:
        case Qt::Key_BracketRight:
            if (hasTarget) return step(1);
            break;
        case Qt::Key_Space:
        case Qt::Key_L:
            if (hasTarget) emit lockToggled(keys);
            return;
        case Qt::Key_Home:
            if (hasTarget) emit resetRequested(keys);
            return;
        default:
            break;
    }
    PlotView::keyPressEvent(event);
}

QMenu* RatioProfile::createContextMenu() {
    QMenu* menu = PlotView::createContextMenu();
    const PlotPoint* point = pointOfInterest();
    const QString at = point ? point->key : QString();
    const QStringList keys = at.isEmpty() || selection().contains(at) ? concerned() : QStringList{at};
    auto* lock = new QAction(tr("&Lock or unlock (Space)"), menu);
    auto* reset = new QAction(tr("Back to the s&uggestion (Home)"), menu);
    for (QAction* action : {lock, reset}) action->setEnabled(!keys.isEmpty());
    connect(lock, &QAction::triggered, this, [this, keys] { emit lockToggled(keys); });
    connect(reset, &QAction::triggered, this, [this, keys] { emit resetRequested(keys); });
    QAction* first = menu->actions().value(0);
    menu->insertAction(first, lock);
    menu->insertAction(first, reset);
    menu->insertSeparator(first);
    return menu;
}

PlotTable RatioProfile::table() const {
    PlotTable table{{tr("Layer"), tr("Suggested (%)"), tr("Chosen (%)"), tr("Locked"), tr("Meaning"), tr("Why not")},
                    {}};
    for (const RatioItem& item : m_data.layers)
        table.rows.append({item.label, 100.0 * item.suggested, 100.0 * item.chosen,
                           item.isLocked ? tr("yes") : tr("no"), meaningOf(item), item.skipReason});
    return table;
}

}  // namespace equant::plots
