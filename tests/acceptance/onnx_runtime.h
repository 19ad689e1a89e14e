// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime as an outside judge of files that we write: through node and the script beside the reference data.
#pragma once

#include <QProcess>
#include <QString>
#include <string>

#include "core/base/result.h"
#include "core/data/npy.h"
#include "tests/acceptance/shared_folder.h"

namespace equant {

/// What ONNX Runtime computes for the value `output` of the file; `folder` takes the arrays. Unsupported: node or
/// onnxruntime-node (NODE_PATH) is not available: skip. Corrupt: it refuses the file.
inline Result<Tensor> onnxRuntimeOutput(const QString& modelPath, const std::string& inputName, const Tensor& input,
                                        const std::string& output, const QString& folder) {
    const QString values = folder + "/input.npy", script = QString::fromStdString(sharedFolder() / "tools/ort_run.js");
    if (const auto written = writeNpy(input, values.toStdString()); !written) return fail(written.error());
    QProcess node;
    node.start("node", {script, modelPath, folder, QString::fromStdString(inputName) + "=" + values});
    if (!node.waitForStarted()) return fail(ErrorCode::Unsupported, "node is not available");
    const bool hasFinished = node.waitForFinished(60000);
    const QString message = node.readAllStandardError();
    if (message.contains("Cannot find module"))
        return fail(ErrorCode::Unsupported, "onnxruntime-node is not available (set NODE_PATH)");
    if (!hasFinished || node.exitCode() != 0) return fail(ErrorCode::Corrupt, message.toStdString());
    return readNpy((folder + "/output_" + QString::fromStdString(output) + ".npy").toStdString());
}

}  // namespace equant
