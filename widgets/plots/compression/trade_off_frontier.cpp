// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/compression/trade_off_frontier.h"

#include <QMenu>
#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

/// Room left of the cheapest plan at hand, as a share of what it saves.
constexpr double kBelow = 0.35;
/// Points or percent of error that nobody can measure.
constexpr double kNothing = 0.005;
constexpr std::ptrdiff_t kIntervals = 3;

QString keyOf(std::size_t index) {
    return QStringLiteral("plan:%1").arg(index);
}

}  // namespace

TradeOffFrontier::TradeOffFrontier(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Solve for a budget to see what every saving costs."));
    rebuild();
}

void TradeOffFrontier::setData(TradeOffFrontierData content) {
    m_data = std::move(content);
    rebuild();
}

void TradeOffFrontier::setCurrent(FrontierPlan plan, const QString& cheapestLayer) {
    m_data.current = std::move(plan);
    m_data.cheapestLayer = cheapestLayer;
    rebuildSoon();
}

std::vector<std::size_t> TradeOffFrontier::sweep() const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.plans.size(); ++i) {
        const FrontierPlan& plan = m_data.plans[i];
        if (plan.isOnSweep && std::isfinite(plan.costLeft) && std::isfinite(plan.predicted)) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
        return m_data.plans[a].costLeft < m_data.plans[b].costLeft;
    });
    return order;
}

/// The share of the cost from which on plans are shown: somewhat below all that the user looks at.
double TradeOffFrontier::leastCost() const {
    double least = std::isfinite(m_data.targetCost) ? m_data.targetCost : 1.0;
    if (std::isfinite(m_data.current.costLeft)) least = std::min(least, m_data.current.costLeft);
    for (const FrontierPlan& plan : m_data.plans)
        if (!plan.isOnSweep && std::isfinite(plan.costLeft)) least = std::min(least, plan.costLeft);
    // Nothing to look at in particular: all of it.
    return m_isExpanded || least > 0.999 ? 0.0 : least - kBelow * std::max(0.3, 1.0 - least);
}

QString TradeOffFrontier::marginalSentence() const {
    const std::vector<std::size_t> order = sweep();
    const double at = m_data.current.costLeft;
    if (!std::isfinite(at)) return {};
    // The slope of the sweep just below the present cost.
    for (std::size_t i = 1; i < order.size(); ++i) {
        const FrontierPlan& lower = m_data.plans[order[i - 1]];
        const FrontierPlan& upper = m_data.plans[order[i]];
        const bool isHere = lower.costLeft < at - 1e-9 && (at <= upper.costLeft + 1e-9 || i + 1 == order.size());
        if (!isHere || upper.costLeft - lower.costLeft < 1e-9) continue;
        const double gained = upper.predicted - lower.predicted;
        const double loss = (m_data.isHigherBetter ? gained : -gained) / (upper.costLeft - lower.costLeft) * 0.01;
        const QString unit = !m_data.lossUnit.isEmpty()           ? m_data.lossUnit
                             : m_data.unit == QStringLiteral("%") ? tr("points")
                                                                  : m_data.unit;
        const QString amount = tr("%1 %2").arg(numberText(std::max(0.0, loss), 2), unit);
        const QString step = percentText(1.0).replace(QStringLiteral(".0"), QString());
        const QString sentence =
            loss < kNothing ? tr("The next %1 of %2 costs about 0").arg(step, m_data.costName)
                            : tr("The next %1 of %2 costs about %3").arg(step, m_data.costName, amount.trimmed());
        return m_data.cheapestLayer.isEmpty() ? sentence
                                              : tr("%1, cheapest from %2").arg(sentence, m_data.cheapestLayer);
    }
    return {};
}

QString TradeOffFrontier::hoverOf(const FrontierPlan& plan) const {
    QString text = plan.label.isEmpty() ? tr("Plan") : plan.label;
    text += u'\n' + tr("%1 of %2 left").arg(percentText(100.0 * plan.costLeft), m_data.costName);
    if (std::isfinite(plan.measured))
        text += u'\n' + tr("measured %1 %2").arg(numberText(plan.measured, 4), measuredUnit());
    if (std::isfinite(plan.low) && std::isfinite(plan.high))
        text += u'\n' + tr("between %1 and %2").arg(numberText(plan.low, 4), numberText(plan.high, 4));
    if (std::isfinite(plan.predicted))
        text += u'\n' + tr("predicted %1 %2").arg(numberText(plan.predicted, 4), m_data.unit);
    if (!plan.text.isEmpty()) text += u'\n' + plan.text;
    return text;
}

TradeOffFrontier::Series TradeOffFrontier::emptySeries() const {
    // Small plots have no room for titles beside their axes: with two of them the legend says what they measure.
    const auto named = [&](const QString& plain, const QString& quantity, const QString& text) {
        return hasTwoScales() ? text.arg(quantity.section(u',', 0, 0).toLower()) : plain;
    };
    PlotSeries curve{.name = named(tr("Solver, predicted"), m_data.scoreName, tr("Solver, predicted %1 (left axis)")),
                     .mark = Mark::Line,
                     .ink = {Role::Accent},
                     .isFilled = false,
                     .size = 5.0};
    curve.isDotted = true;
    PlotSeries others{
        .name = tr("Other plans, predicted"), .ink = {Role::Accent}, .symbol = Symbol::Square, .isFilled = false};
    PlotSeries stars{.name = named(tr("Measured"), m_data.measuredName, tr("Measured %1 (right axis)")),
                     .ink = {Role::Before},
                     .symbol = Symbol::Star,
                     .isOnRightAxis = hasTwoScales(),
                     .size = 12.0};
    PlotSeries current{.name = tr("This plan, predicted"),
                       .ink = {Role::Secondary},
                       .symbol = Symbol::Diamond,
                       .isFilled = false,
                       .size = 12.0};
    PlotSeries currentStar{.name = tr("This plan, measured"),
                           .ink = {Role::Secondary},
                           .symbol = Symbol::Star,
                           .isOnRightAxis = hasTwoScales(),
                           .size = 14.0};
    return {std::move(curve), std::move(others), std::move(stars), std::move(current), std::move(currentStar)};
}

PlotPoint TradeOffFrontier::pointAt(const FrontierPlan& plan, double score, const QString& key) const {
    return {.key = key, .x = 100.0 * plan.costLeft, .y = score, .hover = hoverOf(plan)};
}

int TradeOffFrontier::addPoints(Series& series, PlotScene& scene) const {
    // Plans for one budget stand above each other: the intervals of many hide everything.
    const auto starCount = std::ranges::count_if(m_data.plans, [](const FrontierPlan& plan) {
        return std::isfinite(plan.costLeft) && std::isfinite(plan.measured);
    });
    const auto measured = [&](const FrontierPlan& plan, const QString& key) {
        PlotPoint point = pointAt(plan, plan.measured, key);
        point.text = plan.mark;
        if ((starCount <= kIntervals || key.isEmpty()) && std::isfinite(plan.low) && std::isfinite(plan.high))
            std::tie(point.low, point.high) = std::pair(plan.low, plan.high);
        return point;
    };
    const double least = leastCost();
    int leftOut = 0;
    for (const std::size_t i : sweep()) {
        if (m_data.plans[i].costLeft < least)
            ++leftOut;
        else
            series.curve.points.push_back(pointAt(m_data.plans[i], m_data.plans[i].predicted, keyOf(i)));
    }
    for (std::size_t i = 0; i < m_data.plans.size(); ++i) {
        const FrontierPlan& plan = m_data.plans[i];
        const bool hasCost = std::isfinite(plan.costLeft);
        if (!hasCost || (!std::isfinite(plan.predicted) && !std::isfinite(plan.measured))) {
            ++scene.skipped;
            continue;
        }
        if (std::isfinite(plan.predicted) && !plan.isOnSweep && !std::isfinite(plan.measured))
            series.others.points.push_back(pointAt(plan, plan.predicted, keyOf(i)));
        if (std::isfinite(plan.measured)) series.stars.points.push_back(measured(plan, keyOf(i)));
    }
    if (std::isfinite(m_data.current.costLeft)) {
        if (std::isfinite(m_data.current.predicted))
            series.current.points.push_back(pointAt(m_data.current, m_data.current.predicted, {}));
        if (std::isfinite(m_data.current.measured)) series.currentStar.points.push_back(measured(m_data.current, {}));
    }
    return leftOut;
}

void TradeOffFrontier::addLines(PlotScene& scene) const {
    if (std::isfinite(m_data.baseline) && !hasTwoScales())
        scene.lines.push_back(
            {.value = m_data.baseline, .label = tr("uncompressed %1").arg(numberText(m_data.baseline, 4))});
    if (scene.right && std::isfinite(m_data.measuredBaseline))
        scene.lines.push_back({.value = m_data.measuredBaseline,
                               .label = tr("uncompressed %1").arg(numberText(m_data.measuredBaseline, 4)),
                               .isOnRightAxis = true});
    if (std::isfinite(m_data.targetCost))
        scene.lines.push_back({.orientation = Qt::Vertical,
                               .value = 100.0 * m_data.targetCost,
                               .label = tr("budget %1").arg(percentText(100.0 * m_data.targetCost)),
                               .ink = {Role::Alert}});
}

PlotScene TradeOffFrontier::buildScene() const {
    PlotScene scene;
    Series series = emptySeries();
    const int leftOut = addPoints(series, scene);
    scene.series = {std::move(series.curve), std::move(series.others), std::move(series.stars),
                    std::move(series.current), std::move(series.currentStar)};
    if (scene.isEmpty()) return scene;
    scaleAxes(scene);
    scene.pick = Pick::Nearest;
    addLines(scene);
    const QString sentence = marginalSentence();
    scene.title = finding(static_cast<int>(m_data.plans.size()) - scene.skipped);
    scene.detail = sentence.isEmpty() ? tr("Click a plan to adopt it") : sentence;
    if (leftOut > 0)
        scene.notes.push_back({.x = 0.01,
                               .y = 0.98,
                               .alignment = Qt::AlignLeft | Qt::AlignBottom,
                               .text = tr("← %n more plans", nullptr, leftOut)});
    if (scene.right)
        scene.detail = tr("Predicted: output error, left axis. Measured: %1, right axis").arg(m_data.measuredName);
    scene.isDetailForUser = sentence.isEmpty() && !scene.right;
    scene.summary = scene.title + QStringLiteral(". ") + (sentence.isEmpty() ? QString() : sentence + u'.');
    return scene;
}

QString TradeOffFrontier::finding(int shown) const {
    const FrontierPlan& plan = m_data.current;
    const bool isMeasured = std::isfinite(plan.measured);
    if (!std::isfinite(plan.costLeft) || (!isMeasured && !std::isfinite(plan.predicted)))
        return tr("%n plans between cost and score", nullptr, shown);
    const QString left = percentText(100.0 * plan.costLeft);
    if (isMeasured)
        return hasTwoScales()
                   ? tr("%1 of %2 left: %5 %3 %4 measured")
                         .arg(left, m_data.costName, numberText(plan.measured, 3), measuredUnit(), m_data.measuredName)
                   : tr("%1 of %2 left: %3 %4 measured")
                         .arg(left, m_data.costName, numberText(plan.measured, 4), measuredUnit());
    return tr("%1 of %2 left: %3 %4 predicted").arg(left, m_data.costName, numberText(plan.predicted, 4), m_data.unit);
}

void TradeOffFrontier::scaleAxes(PlotScene& scene) const {
    struct Extent {
        double lowest = std::numeric_limits<double>::max(), highest = std::numeric_limits<double>::lowest();
        void include(double value) {
            if (!std::isfinite(value)) return;
            lowest = std::min(lowest, value);
            highest = std::max(highest, value);
        }
        bool isEmpty() const { return lowest > highest; }
    };
    Extent main, right, x;
    x.include(100.0);
    for (const PlotSeries& series : scene.series)
        for (const PlotPoint& point : series.points) {
            Extent& y = series.isOnRightAxis ? right : main;
            for (const double value : {point.y, point.low, point.high}) y.include(value);
            x.include(point.x);
        }
    main.include(m_data.baseline);
    const auto title = [](const QString& name, const QString& unit) {
        return unit.isEmpty() ? name : QStringLiteral("%1 (%2)").arg(name, unit);
    };
    if (main.isEmpty()) main.include(0.0), main.include(1.0);
    std::tie(scene.y.lower, scene.y.upper) = padded(main.lowest, main.highest, 0.12);
    std::tie(scene.x.lower, scene.x.upper) = padded(std::min(x.lowest, x.highest - 10.0), x.highest, 0.05);
    scene.x.title = tr("%1 left (%)").arg(m_data.costName);
    scene.y.title = title(m_data.scoreName, m_data.unit);
    // An error is best at the top, like the score beside it.
    scene.y.isReversed = hasTwoScales() && !m_data.isHigherBetter;
    if (!hasTwoScales() || right.isEmpty()) return;
    right.include(m_data.measuredBaseline);
    scene.right = PlotAxis{.title = title(tr("Measured: %1").arg(m_data.measuredName), m_data.measuredUnit)};
    std::tie(scene.right->lower, scene.right->upper) = padded(right.lowest, right.highest, 0.12);
}

/// A selected plan would fade the others, and its key would mean another plan after the next solution.
bool TradeOffFrontier::isSelectable(const QString&) const {
    return false;
}

void TradeOffFrontier::pointActivated(const QString&, const PlotPoint& point) {
    emit planChosen(point.key.section(u':', 1).toInt());
}

void TradeOffFrontier::setExpanded(bool on) {
    if (m_isExpanded == on) return;
    m_isExpanded = on;
    rebuild();
}

QMenu* TradeOffFrontier::createContextMenu() {
    QMenu* menu = PlotView::createContextMenu();
    auto* all = new QAction(tr("Show &all plans"), menu);
    all->setObjectName(QStringLiteral("allPlans"));
    all->setCheckable(true);
    all->setChecked(m_isExpanded);
    connect(all, &QAction::toggled, this, &TradeOffFrontier::setExpanded);
    QAction* first = menu->actions().value(0);
    menu->insertAction(first, all);
    menu->insertSeparator(first);
    return menu;
}

PlotTable TradeOffFrontier::table() const {
    PlotTable table{{tr("Plan"), tr("%1 left (%)").arg(m_data.costName), tr("Predicted (%1)").arg(m_data.unit),
                     tr("Measured (%1)").arg(measuredUnit()), tr("Low"), tr("High"), tr("Remark")},
                    {}};
    const auto add = [&](const FrontierPlan& plan, const QString& label) {
        table.rows.append(
            {label, 100.0 * plan.costLeft, plan.predicted, plan.measured, plan.low, plan.high, plan.text});
    };
    for (const FrontierPlan& plan : m_data.plans) add(plan, plan.label);
    if (std::isfinite(m_data.current.costLeft)) add(m_data.current, tr("This plan"));
    return table;
}

}  // namespace equant::plots
