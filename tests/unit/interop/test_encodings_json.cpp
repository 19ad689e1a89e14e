// SPDX-License-Identifier: Apache-2.0
// Encodings files: every version survives a round trip, and what is wrong is named.
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/interop/encodings_json.h"
#include "tests/support/registry.h"

namespace test_encodings_json {

using namespace equant;

namespace {

Model convModel() {
    Model model;
    model.opsets[""] = 13;
    Node conv;
    conv.opType = "Conv";
    conv.name = "conv";
    conv.inputs = {"x", "w"};
    conv.outputs = {"y"};
    Node up = conv;
    up.opType = "ConvTranspose";
    up.name = "up";
    up.inputs = {"y", "u"};
    up.outputs = {"z"};
    model.graph.nodes = {conv, up};
    model.graph.inputs = {{"x", DType::Float, {}, {}}};
    model.graph.outputs = {{"z", DType::Float, {}, {}}};
    model.graph.initializers = {{"w", Tensor(DType::Float, {3, 2, 1, 1}), {}},
                                {"u", Tensor(DType::Float, {3, 2, 1, 1}), {}}};
    return model;
}

CalibratedQuantizer quantizer(const std::string& value, QuantizedRole role, std::vector<RealRange> ranges,
                              const GridOptions& options, int axis) {
    CalibratedQuantizer result;
    result.spec = {value, role, "conv", options, axis, {}};
    for (const RealRange& range : ranges) result.grids.push_back(gridFromRange(range.min, range.max, options));
    result.encoding = toEncoding(result.grids, options, axis, Rounding::HalfAwayFromZero);
    return result;
}

QuantSim makeSim(int bits) {
    const GridOptions symmetric{bits, true, false, false};
    const GridOptions strict{bits, true, true, false};
    const GridOptions asymmetric{bits, false, false, false};
    const GridOptions unsignedOnly{bits, true, false, true};
    QuantSim sim;
    sim.quantizers = {
        quantizer("x", QuantizedRole::ModelInput, {{-1.0, 2.0}}, asymmetric, -1),
        quantizer("w", QuantizedRole::Weight, {{-1.0, 0.5}, {-0.25, 0.75}, {-3.0, 3.0}}, symmetric, 0),
        quantizer("y", QuantizedRole::Activation, {{0.0, 6.0}}, unsignedOnly, -1),
        quantizer("u", QuantizedRole::Weight, {{-1.0, 0.5}, {-0.25, 0.75}}, strict, 1),
        quantizer("z", QuantizedRole::Activation, {{-4.0, 0.0}}, asymmetric, -1),
    };
    return sim;
}

/// The same real grid; versions differ in what else they remember.
void compareGrids(const Encoding& a, const Encoding& b, const std::string& value) {
    QVERIFY2(a.bits == b.bits && a.axis == b.axis && a.scale.size() == b.scale.size(), value.c_str());
    for (std::size_t i = 0; i < a.scale.size(); ++i) {
        QVERIFY2(a.scale[i] == b.scale[i], value.c_str());
        QCOMPARE(gridOf(a, i).offset, gridOf(b, i).offset);
        QCOMPARE(a.min(i), b.min(i));
        QCOMPARE(a.max(i), b.max(i));
    }
}

}  // namespace

class TestEncodingsJson : public QObject {
    Q_OBJECT

private slots:
    void roundTrip_data();
    void roundTrip();
    void knownText061();
    void knownText200();
    void whatIsWrongIsNamed_data();
    void whatIsWrongIsNamed();
    void versions();
};

void TestEncodingsJson::roundTrip_data() {
    QTest::addColumn<QString>("version");
    QTest::addColumn<int>("bits");
    for (const QString version : {"0.6.1", "1.0.0", "2.0.0"}) {
        for (const int bits : {4, 8, 16}) {
            QTest::newRow(qPrintable(version + " with " + QString::number(bits))) << version << bits;
        }
    }
}

void TestEncodingsJson::roundTrip() {
    QFETCH(QString, version);
    QFETCH(int, bits);
    const QuantSim sim = makeSim(bits);
    const auto wanted = parseEncodingsVersion(version.toStdString()).value();
    const std::string text = writeEncodings(sim, wanted);
    QCOMPARE(QString::fromStdString(nlohmann::json::parse(text)["version"]), version);
    const auto file = parseEncodings(text, convModel());
    QVERIFY2(file.has_value(), file ? "" : describe(file.error()).c_str());
    QVERIFY(file->version == wanted);
    if (wanted != EncodingsVersion::V2_0_0) {
        QCOMPARE(file->parameters.size(), std::size_t{2});
        QCOMPARE(file->activations.size(), std::size_t{3});
    }
    const QuantOverlay all = file->all();
    QCOMPARE(all.size(), sim.quantizers.size());
    for (const auto& original : sim.quantizers) {
        const Encoding& read = all.at(original.spec.value);
        if (version == "2.0.0" && original.spec.grid.isStrict) {
            // ONNX integers have no strict grids: the lowest one comes back, the scale stays.
            QCOMPARE(read.scale, original.encoding.scale);
            continue;
        }
        compareGrids(read, original.encoding, original.spec.value);
    }
}

void TestEncodingsJson::knownText061() {
    const char* text = R"({"version": "0.6.1", "excluded_layers": [], "quantizer_args": {},
      "activation_encodings": {"y": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "max": 1.5, "min": -0.5,
                                      "offset": -64, "scale": 0.0078125}],
                               "h": [{"bitwidth": 16, "dtype": "float"}]},
      "param_encodings": {"w": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "max": 0.99, "min": -1.0,
                                 "offset": -128, "scale": 0.0078125}]}})";
    const auto file = parseEncodings(text, convModel());
    QVERIFY(file.has_value());
    QCOMPARE(file->floatOnly, std::vector<std::string>{"h"});
    const Encoding& activation = file->activations.at("y");
    QVERIFY(!activation.isSigned && !activation.isSymmetric);
    QCOMPARE(activation.zeroPoint[0], 64);
    QCOMPARE(activation.min(), -0.5);
    const Encoding& weight = file->parameters.at("w");
    QVERIFY(weight.isSigned && weight.isSymmetric && !weight.isStrict && !weight.isPerChannel());
    QCOMPARE(weight.zeroPoint[0], 0);
    QCOMPARE(weight.min(), -1.0);
}

void TestEncodingsJson::knownText200() {
    const char* text = R"({"version": "2.0.0", "encodings": [
      {"name": "w", "output_dtype": "int8", "y_scale": [0.5, 0.25, 0.125], "axis": 0},
      {"name": "y", "output_dtype": "uint8", "y_scale": 0.5, "y_zero_point": 3}]})";
    const auto file = parseEncodings(text, convModel());
    QVERIFY(file.has_value());
    const QuantOverlay all = file->all();
    QCOMPARE(all.at("w").axis, 0);
    QVERIFY(all.at("w").isSigned && all.at("w").isSymmetric);
    QCOMPARE(all.at("y").min(), -1.5);
}

void TestEncodingsJson::whatIsWrongIsNamed_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("named");
    const QString shell = R"({"activation_encodings": %1, "param_encodings": %2})";
    QTest::newRow("not json") << "["
                              << "JSON";
    QTest::newRow("section") << R"({"activation_encodings": {}})"
                             << "param_encodings";
    QTest::newRow("axis") << shell.arg("[]", R"([{"name": "w", "dtype": "INT", "bw": 8, "is_sym": true,
        "scale": [1, 1, 1, 1, 1], "offset": [-128, -128, -128, -128, -128]}])")
                          << "\"w\"";
    QTest::newRow("no parameter") << shell.arg("[]", R"([{"name": "q", "dtype": "INT", "bw": 8, "is_sym": true,
        "scale": [1, 1], "offset": [-128, -128]}])")
                                  << "\"q\"";
    QTest::newRow("scale") << shell.arg(R"([{"name": "y", "bw": 8, "is_sym": false, "scale": [0], "offset": [0]}])",
                                        "[]")
                           << "\"y\"";
    QTest::newRow("offset") << shell.arg(R"([{"name": "y", "bw": 8, "is_sym": false, "scale": [1], "offset": [0.5]}])",
                                         "[]")
                            << "\"y\"";
    QTest::newRow("bits") << shell.arg(R"([{"name": "y", "bw": 32, "is_sym": false, "scale": [1], "offset": [0]}])",
                                       "[]")
                          << "\"y\"";
    QTest::newRow("block") << shell.arg(R"([{"name": "y", "enc_type": "LPBQ", "bw": 8}])", "[]") << "LPBQ";
    QTest::newRow("missing field") << shell.arg(R"([{"name": "y"}])", "[]") << "incomplete";
    QTest::newRow("type") << R"({"encodings": [{"name": "y", "output_dtype": "integer", "y_scale": 1}]})"
                          << "\"y\"";
    QTest::newRow("no axis") << R"({"encodings": [{"name": "w", "output_dtype": "int8", "y_scale": [1, 2]}]})"
                             << "\"w\"";
}

void TestEncodingsJson::whatIsWrongIsNamed() {
    QFETCH(QString, text);
    QFETCH(QString, named);
    const auto file = parseEncodings(text.toStdString(), convModel());
    QVERIFY(!file.has_value());
    const QString message = QString::fromStdString(describe(file.error()));
    QVERIFY2(message.contains(named), qPrintable(message));
}

void TestEncodingsJson::versions() {
    QVERIFY(parseEncodingsVersion("1.0.0").has_value());
    QVERIFY(!parseEncodingsVersion("3.0.0").has_value());
}

EQUANT_TEST(TestEncodingsJson)
}  // namespace test_encodings_json

#include "test_encodings_json.moc"
