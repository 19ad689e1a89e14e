// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/plots/compression/savings_waterfall.h"

#include <QMenu>
#include <algorithm>
#include <cmath>

namespace equant::plots {
namespace {

/// Narrower steps cannot be told apart, and their names cannot be read.
constexpr std::size_t kMostSteps = 32;
const QString kRest = QStringLiteral("rest:");

}  // namespace

SavingsWaterfall::SavingsWaterfall(QWidget* parent) : PlotView(parent) {
    setEmptyText(tr("Choose ratios to see which layers save and what they lose."));
    rebuild();
}

void SavingsWaterfall::setData(SavingsWaterfallData content) {
    m_data = std::move(content);
    rebuild(true);
}

void SavingsWaterfall::setOrder(Order order) {
    m_order = order;
    rebuild();
}

std::vector<std::size_t> SavingsWaterfall::sorted(int* skipped) const {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < m_data.layers.size(); ++i) {
        const SavingsItem& item = m_data.layers[i];
        if (!std::isfinite(item.saved))
            ++*skipped;
        else if (item.saved != 0.0)
            order.push_back(i);
    }
    const auto price = [this](std::size_t i) {
        const SavingsItem& item = m_data.layers[i];
        if (!std::isfinite(item.predictedLoss)) return std::numeric_limits<double>::max();
        return item.saved > 0.0 ? item.predictedLoss / item.saved : std::numeric_limits<double>::max();
    };
    if (m_order == Order::Saved)
        std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
            return m_data.layers[a].saved > m_data.layers[b].saved;
        });
    if (m_order == Order::LossPerSaving)
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return price(a) < price(b); });
    return order;
}

/// With many layers the ones that save least become one step at the end.
std::vector<SavingsWaterfall::Step> SavingsWaterfall::steps(const std::vector<std::size_t>& order) const {
    std::vector<std::size_t> bySaving = order;
    std::stable_sort(bySaving.begin(), bySaving.end(),
                     [this](std::size_t a, std::size_t b) { return m_data.layers[a].saved > m_data.layers[b].saved; });
    const bool isGrouped = !m_isExpanded && order.size() > kMostSteps;
    if (isGrouped) bySaving.resize(kMostSteps - 1);
    std::sort(bySaving.begin(), bySaving.end());
    std::vector<Step> result;
    Step rest{{.key = kRest, .predictedLoss = 0.0}, {}};
    for (const std::size_t index : order) {
        const SavingsItem& item = m_data.layers[index];
        if (!isGrouped || std::binary_search(bySaving.begin(), bySaving.end(), index)) {
            result.push_back({item, {index}});
            continue;
        }
        rest.item.saved += item.saved;
        rest.item.predictedLoss += item.predictedLoss;
        rest.layers.push_back(index);
    }
    if (rest.layers.empty()) return result;
    rest.item.label = tr("%n more layers", nullptr, static_cast<int>(rest.layers.size()));
    rest.item.text = tr("click to show all of them");
    result.push_back(std::move(rest));
    return result;
}

QString SavingsWaterfall::finding(const std::vector<std::size_t>& order) const {
    double saved = 0.0;
    for (const std::size_t index : order) saved += m_data.layers[index].saved;
    const SavingsItem& most =
        m_data.layers[*std::max_element(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
            return m_data.layers[a].saved < m_data.layers[b].saved;
        })];
    return tr("%n layers save %1 of %2, most of it %3 (%4)", nullptr, static_cast<int>(order.size()))
        .arg(percentText(100.0 * saved), m_data.costName, most.label, percentText(100.0 * most.saved));
}

QString SavingsWaterfall::hoverOf(const SavingsItem& item, double left) const {
    QString hover = (item.key == kRest ? tr("%1\nsave %2 of all %3 together") : tr("%1\nsaves %2 of all %3"))
                        .arg(item.label, percentText(100.0 * item.saved), m_data.costName) +
                    u'\n' + tr("%1 left with the layers before it").arg(percentText(left));
    if (std::isfinite(item.predictedLoss))
        hover += u'\n' + tr("predicted loss %1 %2").arg(numberText(item.predictedLoss), m_data.unit);
    return item.text.isEmpty() ? hover : hover + u'\n' + item.text;
}

/// The x axis; the last name may stand for the small layers together.
void SavingsWaterfall::setNames(PlotScene& scene, bool hasRest) const {
    // Path parts that all names share are left out: there is little room below a step.
    const QStringList own = shortNames(hasRest ? scene.x.names.mid(0, scene.x.names.size() - 1) : scene.x.names);
    scene.x.names = hasRest ? own + scene.x.names.mid(scene.x.names.size() - 1) : own;
    scene.x.title = m_order == Order::Saved           ? tr("Layer, largest saving first")
                    : m_order == Order::LossPerSaving ? tr("Layer, cheapest saving first")
                                                      : tr("Layer, in execution order");
    scene.x.ticks = Ticks::Names;
    scene.x.hasGrid = false;
    scene.x.lower = -0.7;
    scene.x.upper = static_cast<double>(scene.x.names.size()) - 0.3;
}

PlotScene SavingsWaterfall::buildScene() const {
    PlotScene scene;
    const std::vector<std::size_t> order = sorted(&scene.skipped);
    if (order.empty()) return scene;
    const std::vector<Step> shown = steps(order);
    PlotSeries bars{.name = tr("Cost left after this layer"), .mark = Mark::Bars, .ink = {Role::Accent}};
    PlotSeries losses{.name = tr("Predicted loss (right axis)"),
                      .mark = shown.size() > 40 ? Mark::Points : Mark::Lollipops,  // stems would cover the steps
                      .ink = {Role::Before},
                      .isFilled = false,
                      .isOnRightAxis = true};
    double left = 100.0, lowest = 100.0, highest = 100.0, mostLoss = 0.0, leastLoss = 0.0, total = 0.0;
    for (std::size_t position = 0; position < shown.size(); ++position) {
        const SavingsItem& item = shown[position].item;
        const auto x = static_cast<double>(position);
        const double next = left - 100.0 * item.saved;
        const bool isRest = item.key == kRest;
        const QString hover = hoverOf(item, next);
        const bool hasLoss = std::isfinite(item.predictedLoss);
        bars.points.push_back(
            {.key = item.key, .x = x, .y = left, .y2 = next, .text = isRest ? item.label : QString(), .hover = hover});
        if (hasLoss && isRest) {
            total += item.predictedLoss;  // many losses added up would flatten the single ones
        } else if (hasLoss) {
            losses.points.push_back({.key = item.key, .x = x, .y = item.predictedLoss, .hover = hover});
            mostLoss = std::max(mostLoss, item.predictedLoss);
            leastLoss = std::min(leastLoss, item.predictedLoss);
            total += item.predictedLoss;
        }
        left = next;
        lowest = std::min(lowest, left);
        highest = std::max(highest, left);
        scene.x.names += item.label;
    }
    const bool hasRest = shown.back().item.key == kRest;
    setNames(scene, hasRest);
    std::tie(scene.y.lower, scene.y.upper) = padded(lowest, highest, 0.08);
    scene.y.title = tr("%1 left (%)").arg(m_data.costName);
    if (!losses.points.empty()) {
        scene.right = PlotAxis{.title = tr("Predicted loss (%1)").arg(m_data.unit)};
        // The losses keep to the lower half, so that they stay apart from the first, large steps.
        scene.right->lower = leastLoss < 0.0 ? leastLoss * 1.2 : 0.0;
        scene.right->upper = std::max(mostLoss * 1.9, 1e-9);
    }
    // The names below the steps have no room for it.
    if (hasRest)
        scene.notes.push_back({.x = 0.99,
                               .y = 0.03,
                               .alignment = Qt::AlignRight | Qt::AlignTop,
                               .text = tr("last step: %1").arg(shown.back().item.label)});
    scene.title = finding(order);
    scene.detail = losses.points.empty() ? tr("Click a layer to go there")
                                         : tr("Predicted losses add up to %1 %2").arg(numberText(total), m_data.unit);
    scene.isDetailForUser = losses.points.empty();
    scene.summary = scene.title + QStringLiteral(". ") + scene.detail + u'.';
    scene.series = {std::move(bars), std::move(losses)};
    return scene;
}

void SavingsWaterfall::pointActivated(const QString&, const PlotPoint& point) {
    if (point.key == kRest) return setExpanded(true);
    emit layerActivated(point.key);
}

bool SavingsWaterfall::isSelectable(const QString& key) const {
    return key != kRest;
}

QMenu* SavingsWaterfall::createContextMenu() {
    QMenu* menu = PlotView::createContextMenu();
    const PlotPoint* point = pointOfInterest();
    const QString key = point && point->key != kRest ? point->key : QString();
    auto* exclude = new QAction(tr("&Do not compress this layer"), menu);
    exclude->setEnabled(!key.isEmpty());
    connect(exclude, &QAction::triggered, this, [this, key] { emit exclusionRequested(key); });
    QAction* first = menu->actions().value(0);
    menu->insertAction(first, exclude);
    const std::pair<QString, Order> orders[] = {{tr("Largest &saving first"), Order::Saved},
                                                {tr("&Cheapest saving first"), Order::LossPerSaving},
                                                {tr("In &execution order"), Order::Execution}};
    for (const auto& [text, order] : orders) {
        auto* action = new QAction(text, menu);
        action->setCheckable(true);
        action->setChecked(order == m_order);
        connect(action, &QAction::triggered, this, [this, order = order] { setOrder(order); });
        menu->insertAction(first, action);
    }
    auto* all = new QAction(tr("Show &all layers"), menu);
    all->setCheckable(true);
    all->setChecked(m_isExpanded);
    connect(all, &QAction::toggled, this, &SavingsWaterfall::setExpanded);
    menu->insertAction(first, all);
    menu->insertSeparator(first);
    return menu;
}

void SavingsWaterfall::setExpanded(bool on) {
    if (m_isExpanded == on) return;
    m_isExpanded = on;
    rebuild();
}

PlotTable SavingsWaterfall::table() const {
    PlotTable table{{tr("Layer"), tr("%1 saved (% of the network)").arg(m_data.costName),
                     tr("Predicted loss (%1)").arg(m_data.unit), tr("Remark")},
                    {}};
    for (const SavingsItem& item : m_data.layers)
        table.rows.append({item.label, 100.0 * item.saved, item.predictedLoss, item.text});
    return table;
}

}  // namespace equant::plots
