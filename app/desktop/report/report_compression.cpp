// SPDX-License-Identifier: GPL-3.0-or-later
// The report's compression section: sensitivities, the chosen ratios and what came of them. What is predicted never
// looks like what was measured: in plots by the plots' own styles, in words and tiles by "≈", "predicted" and italics.
#include <QCoreApplication>
#include <QLocale>
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "app/desktop/compression/compression_view.h"
#include "app/desktop/report/report_sections_internal.h"

namespace equant::ui {

using namespace Qt::StringLiterals;
using report::Column;
using report::FigureRow;
using report::Section;
using report::Table;
using report::Tiles;
using Style = report::Paragraph::Style;

namespace {

constexpr double kSameScore = 0.01;         ///< points
constexpr double kOtherSavings = 5e-4;      ///< of the whole cost, worth a bar
constexpr std::size_t kRowsOfAFigure = 46;  ///< more do not fit on a page

/// The compression to tell of: the applied one, else the plan being edited.
struct Shown {
    CompressStep step;
    bool isApplied = false;
    std::shared_ptr<const CompressedModel> result;  ///< null: not carried out
    const PlanMeasurement* measured = nullptr;
    std::optional<PlanPrediction> predicted;
    CostMetric metric = CostMetric::Macs;
};

std::optional<Shown> shownCompression(const Document& document) {
    Shown shown;
    const CompressStep* applied = document.state().recipe.compressStep();
    shown.isApplied = applied != nullptr;
    shown.step = applied ? *applied : document.editedCompression();
    if (!applied && shown.step.plan.choices.empty()) return std::nullopt;
    shown.result = document.compressedFor(shown.step);
    shown.measured = document.measurementOf(shown.step);
    if (document.state().compression.target == TargetKind::Size) shown.metric = CostMetric::Parameters;
    const auto table = document.sensitivity();
    if (table) shown.predicted = predictPlan(*table, shown.step.plan);
    // A plan knows what its own, measured table promised; a table made afterwards from statistics has no scores.
    const auto& own = shown.step.plan.predicted;
    if (own && own->score && !(shown.predicted && shown.predicted->score)) shown.predicted = own;
    // Pruned channels save less together than each layer alone: the plan's own costs were counted on the model.
    if (own && shown.predicted)
        shown.predicted->macsRatio = own->macsRatio, shown.predicted->sizeRatio = own->sizeRatio;
    return shown;
}

QString percent(double share) {
    return tr("%1 %").arg(QLocale().toString(100 * share, 'f', 1));
}

/// "≈ 86.9 %" where the table says what the score is.
QString predictedText(const PlanPrediction& predicted, const SensitivityTable* table) {
    if (!predicted.score) return {};
    const QString number = u"≈ "_s + QLocale().toString(*predicted.score, 'f', 1);
    if (!table || !table->baseline)
        return table && table->metric == SensitivityMetric::SqnrDb ? number + u" dB"_s : number;
    return number + u" %"_s;
}

/// Whether the sensitivities have a baseline of their own, measured on other samples than the plan: then only losses
/// can be compared, not scores.
bool hasOtherBaseline(const SensitivityTable& table, const PlanMeasurement& measured) {
    if (!table.baseline) return false;
    const bool isTop1 = table.metric == SensitivityMetric::Top1;
    const double own = isTop1 ? measured.floating.top1.value_or(*table.baseline) : 100.0;
    return std::abs(own - *table.baseline) > kSameScore;
}

/// Layers that the plan makes smaller, each once.
std::size_t plannedLayers(const CompressionPlan& plan) {
    std::set<std::string> names;
    for (const LayerChoice& choice : plan.choices)
        if (choice.ratio < 1) names.insert(choice.layer);
    return names.size();
}

std::size_t compressedLayers(const CompressionReport& report) {
    std::set<std::string> names;
    for (const CompressedLayer& layer : report.layers)
        if (layer.skipped.empty()) names.insert(layer.name);
    return names.size();
}

/// "−5.8 points"
QString pointsText(double change) {
    const QString sign = change > 0 ? u"+"_s : u"−"_s;
    return tr("%1 points")
        .arg((std::abs(change) < 0.05 ? u"±"_s : sign) + QLocale().toString(std::abs(change), 'f', 1));
}

QString bytesOf(std::int64_t bytes) {
    return plots::bytesText(double(bytes));
}

/// What MACs and parameters do not tell.
void addEngineCosts(Table& table, const EngineCosts& costs) {
    const auto remains = [](double before, double after) { return before > 0 ? percent(after / before) : u"–"_s; };
    if (costs.activationsBefore && costs.activationsAfter) {
        const auto row = [&](const QString& label, std::int64_t before, std::int64_t after) {
            table.rows.push_back({label, bytesOf(before), bytesOf(after), remains(double(before), double(after))});
        };
        row(tr("Activations written per sample, float32"), costs.activationsBefore->writtenBytes,
            costs.activationsAfter->writtenBytes);
        row(tr("Peak activation memory"), costs.activationsBefore->peakBytes, costs.activationsAfter->peakBytes);
    }
    if (!costs.latency) return;
    const auto milliseconds = [](double value) { return tr("%1 ms").arg(QLocale().toString(value, 'f', 2)); };
    table.rows.push_back({tr("Latency of a sample, measured: %1").arg(latencyMethod(*costs.latency)),
                          milliseconds(costs.latency->before), milliseconds(costs.latency->after),
                          percent(costs.latency->ratio())});
}

Table totalsTable(const Document& document, const Shown& shown) {
    Table table{tr("Before and after"),
                {{tr("Figure"), Column::Kind::Text}, {tr("as opened")}, {tr("compressed")}, {tr("remains, or change")}},
                {}};
    if (shown.result) {
        const CompressionReport& report = shown.result->report;
        table.rows.push_back({tr("MACs a sample"), plots::countText(double(report.macsBefore)),
                              plots::countText(double(report.macsAfter)), percent(report.macsRatio)});
        table.rows.push_back({tr("Parameters"), plots::countText(double(report.parametersBefore)),
                              plots::countText(double(report.parametersAfter)), percent(report.sizeRatio)});
        addEngineCosts(table, engineCosts(report));
    }
    if (shown.measured) {
        const auto row = [&](const QString& label, auto text, auto member) {
            const auto before = shown.measured->floating.*member;
            const auto after = shown.measured->score.*member;
            if (before || after) table.rows.push_back({label, text(before), text(after), u"–"_s});
        };
        const auto change = [&](const std::optional<double>& before, const std::optional<double>& after) {
            if (before && after) table.rows.back().back() = pointsText(*after - *before);
        };
        const auto samples = static_cast<int>(shown.measured->score.samples);
        row(tr("Top-1 accuracy, measured on %n sample(s)", samples), percentOrDash, &Score::top1);
        change(shown.measured->floating.top1, shown.measured->score.top1);
        row(tr("95 % interval"), intervalText, &Score::top1Interval);
        row(tr("Agreement with the model as opened, measured"), percentOrDash, &Score::agreement);
        change(shown.measured->floating.agreement, shown.measured->score.agreement);
        row(tr("Output SQNR, measured"), sqnrText, &Score::sqnrDb);
    }
    if (shown.predicted) {
        const auto sensitivity = document.sensitivity();
        if (const QString score = predictedText(*shown.predicted, sensitivity.get()); !score.isEmpty()) {
            const auto baseline = sensitivity ? sensitivity->baseline : std::nullopt;
            const bool isOther = sensitivity && shown.measured && hasOtherBaseline(*sensitivity, *shown.measured);
            table.rows.push_back({isOther
                                      ? tr("Predicted score, on the samples of the sensitivities: compare the losses")
                                      : tr("Predicted score"),
                                  percentOrDash(baseline), score, u"–"_s});
        }
        table.rows.push_back({tr("Predicted MACs"), u"–"_s, u"–"_s, u"≈ "_s + percent(shown.predicted->macsRatio)});
    }
    return table;
}

Table layerTable(const CompressionReport& report) {
    Table table{tr("Compressed layers"),
                {{tr("Layer"), Column::Kind::Name},
                 {tr("Method"), Column::Kind::Text},
                 {tr("asked")},
                 {tr("reached")},
                 {tr("kept of")},
                 {tr("MACs")},
                 {tr("after")},
                 {tr("params")},
                 {tr("after")},
                 {tr("output SQNR")}},
                {}};
    for (const CompressedLayer& layer : report.layers) {
        if (!layer.skipped.empty()) continue;
        table.rows.push_back({shortName(toQString(layer.name)), methodText(layer.method), percent(layer.ratioAsked),
                              percent(layer.ratio), tr("%1 / %2").arg(layer.size).arg(layer.fullSize),
                              plots::countText(layer.before.macs), plots::countText(layer.after.macs),
                              plots::countText(layer.before.parameters), plots::countText(layer.after.parameters),
                              sqnrText(layer.sqnrDb)});
    }
    return table;
}

/// What was asked for, where nothing was carried out.
Table planTable(const CompressionPlan& plan) {
    Table table{tr("The plan"),
                {{tr("Layer"), Column::Kind::Name},
                 {tr("Method"), Column::Kind::Text},
                 {tr("ratio")},
                 {tr("rank or channels")}},
                {}};
    for (const LayerChoice& choice : plan.choices)
        if (choice.ratio < 1)
            table.rows.push_back({shortName(toQString(choice.layer)), methodText(choice.method), percent(choice.ratio),
                                  choice.size > 0 ? QString::number(choice.size) : u"–"_s});
    return table;
}

/// Rows of a plot in even parts that fit on a page.
std::vector<std::pair<std::size_t, std::size_t>> partsOf(std::size_t rows) {
    const std::size_t parts = (rows + kRowsOfAFigure - 1) / kRowsOfAFigure;
    std::vector<std::pair<std::size_t, std::size_t>> result;
    for (std::size_t i = 0; i < parts; ++i) result.emplace_back(rows * i / parts, rows * (i + 1) / parts);
    return result;
}

template <typename Row>
std::vector<Row> part(const std::vector<Row>& rows, std::pair<std::size_t, std::size_t> range) {
    return {rows.begin() + static_cast<std::ptrdiff_t>(range.first),
            rows.begin() + static_cast<std::ptrdiff_t>(range.second)};
}

QString partName(const QString& name, std::size_t index, std::size_t count) {
    return count > 1 ? u"%1-%2"_s.arg(name).arg(index + 1) : name;
}

QString partCaption(const std::vector<std::pair<std::size_t, std::size_t>>& parts, std::size_t index) {
    if (parts.size() < 2) return {};
    return tr("Layers %1 to %2 of %3").arg(parts[index].first + 1).arg(parts[index].second).arg(parts.back().second);
}

/// A plot with a row per layer, on as many pages as it needs; heights in millimetres.
template <typename Plot, typename Data>
void addParts(Section& section, const Data& data, const QString& name, double base, double perLayer) {
    const auto parts = partsOf(data.layers.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
        Data some = data;
        some.layers = part(data.layers, parts[i]);
        const double height = base + perLayer * double(some.layers.size());
        auto plot = std::make_shared<Plot>();
        plot->setData(std::move(some));
        section.blocks.emplace_back(
            FigureRow{{figure(plot, partName(name, i, parts.size()), partCaption(parts, i))}, height});
    }
}

void addMap(Section& section, const CompressionView& view, const CompressionPlan& plan) {
    plots::SensitivityMapData data = view.map(plan);
    if (view.isMeasured() && view.table().rankCorrelation)
        data.note = tr("rank correlation with the prediction %1")
                        .arg(QLocale().toString(*view.table().rankCorrelation, 'f', 2));
    // What no method can compress has a table of its own.
    std::erase_if(data.layers, [](const plots::SensitivityRow& row) { return !row.skipReason.isEmpty(); });
    if (data.layers.empty()) return;
    data.largestLoss = 0;
    for (const plots::SensitivityRow& row : data.layers)
        for (const plots::SensitivityCell& cell : row.cells)
            if (cell.state != plots::CellState::Unmeasured && std::isfinite(cell.change))
                data.largestLoss = std::max(data.largestLoss, data.isHigherBetter ? -cell.change : cell.change);
    addParts<plots::SensitivityMap>(section, data, u"compression-sensitivity"_s, 34, 4.2);
}

/// Chosen ratios of all layers that can be compressed; with a view also what the solver suggested.
plots::RatioProfileData profileOf(const Document& document, const CompressionView* view, const Shown& shown) {
    if (view) return view->profile(shown.step.plan, document.state().suggestion, document.state().compression);
    plots::RatioProfileData data;
    data.lowest = 0.05;
    data.costName = tr("MACs");
    for (const CompressibleLayer& layer : document.loaded()->compressible) {
        const QString name = toQString(layer.geometry.name);
        plots::RatioItem item{name, shortName(name)};
        const LayerChoice* chosen = shown.step.plan.find(layer.geometry.name);
        item.chosen = chosen ? chosen->ratio : 1.0;
        if (!chosen && !layer.can(CompressionMethod::WeightSvd) && !layer.can(CompressionMethod::SpatialSvd) &&
            !layer.can(CompressionMethod::ChannelPruning))
            continue;
        data.layers.push_back(std::move(item));
    }
    return data;
}

void addProfile(Section& section, const Document& document, const CompressionView* view, const Shown& shown) {
    plots::RatioProfileData data = profileOf(document, view, shown);
    std::erase_if(data.layers, [](const plots::RatioItem& item) { return !item.skipReason.isEmpty(); });
    addParts<plots::RatioProfile>(section, data, u"compression-ratios"_s, 30, 4.0);
}

void addFrontier(Section& section, const Document& document, const CompressionView& view, const Shown& shown) {
    CompressionView::Frontier frontier = view.frontier(document);
    plots::TradeOffFrontierData& data = frontier.data;
    data.current = view.planPoint(shown.step.plan, shown.metric, shown.measured);
    data.cheapestLayer = view.cheapestLayer(shown.step.plan, shown.metric);
    // Without a suggestion nobody has aimed at anything yet.
    if (document.state().suggestion.choices.empty()) data.targetCost = plots::kNone;
    if (shown.measured && view.isInPoints() && hasOtherBaseline(view.table(), *shown.measured)) {
        data.measuredName = tr("%1, on other samples").arg(data.scoreName);
        data.measuredUnit = data.unit;
        data.measuredBaseline = view.table().metric == SensitivityMetric::Top1
                                    ? shown.measured->floating.top1.value_or(plots::kNone)
                                    : 100.0;
    }
    // Plans that lose everything would flatten the part that matters.
    const double most = data.isHigherBetter ? std::max(12.0, 2.5 * (data.baseline - data.current.predicted))
                                            : std::max(4.0, 4 * data.current.predicted);
    std::erase_if(data.plans, [&](const plots::FrontierPlan& plan) {
        if (!plan.isOnSweep) return plan.costLeft == data.current.costLeft;  // shown as the current one
        // Savings that are added up can exceed all there is.
        return plan.costLeft <= 0 || std::abs(plan.predicted - data.baseline) > most;
    });
    auto plot = std::make_shared<plots::TradeOffFrontier>();
    plot->setData(std::move(data));
    if (plot->scene().isEmpty()) return;
    section.blocks.emplace_back(FigureRow{{figure(plot, u"compression-frontier"_s, {})}, 84});
}

/// Where the savings really are: of each layer of the plan, then of the others, which lost channels along with them.
std::vector<plots::SavingsItem> realSavings(const CompressionReport& report, CostMetric metric) {
    const bool isSize = metric == CostMetric::Parameters;
    const double total = std::max(1.0, double(isSize ? report.parametersBefore : report.macsBefore));
    double rest = 1 - (isSize ? report.sizeRatio : report.macsRatio);
    std::vector<plots::SavingsItem> items;
    for (const CompressedLayer& layer : report.layers) {
        if (!layer.skipped.empty()) continue;
        const double saved = (layer.before.of(metric) - layer.after.of(metric)) / total;
        rest -= saved;
        const QString name = toQString(layer.name);
        const auto item = std::ranges::find(items, name, &plots::SavingsItem::key);
        if (item == items.end())
            items.push_back({name, shortName(name), saved});
        else
            item->saved += saved;  // factorized, then pruned
    }
    if (std::abs(rest) > kOtherSavings && !items.empty()) items.push_back({u"others"_s, tr("other layers"), rest});
    return items;
}

void addWaterfall(Section& section, const CompressionView* view, const Shown& shown) {
    plots::SavingsWaterfallData data;
    if (view) data = view->waterfall(shown.step.plan, shown.metric);
    if (shown.result) {
        const std::vector<plots::SavingsItem> predicted = std::exchange(data.layers, {});
        data.costName = shown.metric == CostMetric::Parameters ? tr("Size") : tr("MACs");
        data.layers = realSavings(shown.result->report, shown.metric);
        for (plots::SavingsItem& item : data.layers)
            if (const auto same = std::ranges::find(predicted, item.key, &plots::SavingsItem::key);
                same != predicted.end())
                item.predictedLoss = same->predictedLoss, item.text = same->text;
    }
    auto plot = std::make_shared<plots::SavingsWaterfall>();
    plot->setData(std::move(data));
    if (!plot->scene().isEmpty())
        section.blocks.emplace_back(FigureRow{{figure(plot, u"compression-savings"_s, {})}, 78});
}

QString noteText(const Shown& shown, const CompressionView* view) {
    QStringList sentences;
    if (view && !view->isMeasured())
        sentences << tr(
            "The map shows how far each layer's own output would be off, predicted from the statistics of "
            "its inputs; the network was not evaluated for it. Such errors do not add up to a score.");
    if (view && view->isMeasured())
        sentences << tr(
            "Full cells of the map were measured with only that layer compressed; small, dotted ones are "
            "predicted. Dots say that the change is within noise.");
    if (shown.predicted && shown.measured)
        sentences << tr("Predicted figures are marked with ≈ (hollow and dotted in plots); all others were measured.");
    if (shown.result)
        sentences << tr("Asked and reached: share of the layer's own MACs. Kept: rank, or input channels.");
    if (shown.result && shown.result->report.samples > 0)
        sentences << tr("Output SQNR: of the layer's output on the calibration samples, after the refit.");
    if (shown.result && shown.result->report.activationsAfter)
        sentences << tr(
            "Activations are counted as the engine fuses layers: the outputs of fused layers, once each; peak "
            "is what a layer reads and writes and what is read later.");
    if (shown.result && shown.result->report.latency)
        sentences << tr(
            "Latency is that of the float networks in Equant's engine on the machine named below; times "
            "differ a little from run to run.");
    return sentences.join(u' ');
}

const std::string& reasonOf(const CompressibleLayer& layer, const std::vector<CompressionMethod>& methods) {
    static const std::string none;
    for (const CompressionMethod method : methods)
        if (layer.can(method)) return none;
    return methods.empty() ? none : layer.reason(methods.front());
}

}  // namespace

Tiles compressionTiles(const Document& document) {
    Tiles tiles;
    const auto shown = shownCompression(document);
    if (!shown || !shown->isApplied || !shown->result) return tiles;
    const CompressionReport& report = shown->result->report;
    const auto arrow = [](std::int64_t before, std::int64_t after) {
        return plots::countText(double(before)) + u" → "_s + plots::countText(double(after));
    };
    tiles.tiles.push_back(
        {percent(report.macsRatio), tr("of the MACs remain"), arrow(report.macsBefore, report.macsAfter)});
    tiles.tiles.push_back({percent(report.sizeRatio), tr("of the parameters remain"),
                           arrow(report.parametersBefore, report.parametersAfter)});
    if (report.latency)
        tiles.tiles.push_back(
            {percent(report.latency->ratio()), tr("of the latency remains"), latencyText(*report.latency)});
    if (shown->measured)
        if (const auto score = decisiveScore(shown->measured->score)) {
            const auto before = decisiveScore(shown->measured->floating);
            const bool isTop1 = shown->measured->floating.top1 && before;
            tiles.tiles.push_back({scoreValue(*score), tr("compressed, measured"),
                                   isTop1 ? tr("%1 as opened").arg(scoreValue(*before)) : score->name});
        }
    if (shown->predicted) {
        const auto table = document.sensitivity();
        if (const QString text = predictedText(*shown->predicted, table.get()); !text.isEmpty())
            tiles.tiles.push_back({text, tr("predicted by the plan"),
                                   table && table->baseline
                                       ? tr("of %1, not measured").arg(percentOrDash(table->baseline))
                                       : tr("not measured"),
                                   true});
    }
    return tiles;
}

QString compressionFinding(const Document& document) {
    const auto shown = shownCompression(document);
    if (!shown || !shown->isApplied || !shown->result) return {};
    const CompressionReport& report = shown->result->report;
    QString text = (report.latency ? tr("Compression leaves %1 of the MACs, %2 of the parameters and %3 of the latency")
                                   : tr("Compression leaves %1 of the MACs and %2 of the parameters"))
                       .arg(percent(report.macsRatio), percent(report.sizeRatio));
    if (report.latency) text = text.arg(percent(report.latency->ratio()));
    if (shown->measured) text += tr(" for %1, measured").arg(measuredLossText(*shown->measured));
    const auto all = std::ranges::count_if(document.loaded()->compressible, [](const CompressibleLayer& layer) {
        return layer.can(CompressionMethod::SpatialSvd) || layer.can(CompressionMethod::WeightSvd) ||
               layer.can(CompressionMethod::ChannelPruning);
    });
    return text + tr("; %1 of %2 compressible layers are smaller.").arg(compressedLayers(report)).arg(all);
}

void addUncompressed(Table& table, const Document& document) {
    const auto shown = shownCompression(document);
    const auto sensitivity = document.sensitivity();
    if (!shown && !sensitivity) return;
    std::set<std::string> told;
    if (shown && shown->result)
        for (const CompressedLayer& layer : shown->result->report.layers)
            if (!layer.skipped.empty()) {
                told.insert(layer.name);
                table.rows.push_back(
                    {methodText(layer.method), shortName(toQString(layer.name)), toQString(layer.skipped)});
            }
    const auto& methods = document.state().compression.methods;
    std::vector<std::pair<std::string, std::vector<QString>>> groups;
    for (const CompressibleLayer& layer : document.loaded()->compressible) {
        const std::string& reason = reasonOf(layer, methods);
        if (reason.empty() || told.contains(layer.geometry.name)) continue;
        if (shown && shown->step.plan.find(layer.geometry.name)) continue;
        auto group = std::ranges::find(groups, reason, [](const auto& each) { return each.first; });
        if (group == groups.end()) group = groups.insert(groups.end(), {reason, {}});
        group->second.push_back(shortName(toQString(layer.geometry.name)));
    }
    for (const auto& [reason, layers] : groups)
        table.rows.push_back(
            {tr("compression"),
             layers.size() == 1
                 ? layers.front()
                 : tr("%n layer(s), the first is %1", static_cast<int>(layers.size())).arg(layers.front()),
             toQString(reason)});
}

Section compressionSection(const Document& document) {
    const auto shown = shownCompression(document);
    const auto table = document.sensitivity();
    if (!shown && !table) return {};
    std::optional<CompressionView> view;
    if (table) view.emplace(document.loaded(), table);
    const CompressionView* seen = view ? &*view : nullptr;
    Section section{tr("Compression"), {}, true};
    const auto say = [&](const QString& text, Style style) {
        if (!text.isEmpty()) section.blocks.emplace_back(paragraph(text, style));
    };
    if (shown && shown->isApplied)
        say(compressionFinding(document), Style::Lead);
    else if (seen)
        say(compressionSentence(seen, document), Style::Lead);
    if (shown && !shown->isApplied)
        say(tr("The plan shown is a draft: it is not a step of the recipe, and the following sections are of the "
               "uncompressed network."),
            Style::Warning);
    if (shown && shown->isApplied && !shown->result)
        say(tr("The compression of the recipe is not computed yet: only its plan is known."), Style::Warning);
    if (table && !document.isSensitivityFresh())
        say(tr("The sensitivities are out of date: they were found with other settings or data."), Style::Warning);
    if (shown) {
        if (Table totals = totalsTable(document, *shown); !totals.rows.empty())
            section.blocks.emplace_back(std::move(totals));
        if (seen) addFrontier(section, document, *seen, *shown);
        if (plannedLayers(shown->step.plan) > 0) addWaterfall(section, seen, *shown);
    }
    if (seen) addMap(section, *seen, shown ? shown->step.plan : CompressionPlan{});
    if (shown && plannedLayers(shown->step.plan) > 0) {
        addProfile(section, document, seen, *shown);
        Table layers = shown->result ? layerTable(shown->result->report) : planTable(shown->step.plan);
        dropEmptyColumns(layers);
        if (!layers.rows.empty()) section.blocks.emplace_back(std::move(layers));
    }
    say(shown ? noteText(*shown, seen) : noteText({}, seen), Style::Note);
    return section;
}

}  // namespace equant::ui
