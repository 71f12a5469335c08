# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let cloud-init itself divide vendor data and merge what of it is cloud-config; as JSON: `types`, `config`, `texts`.

Called with the directory of cloud-init's Python packages; the vendor data are standard input.
"""

from __future__ import annotations

import json
import sys
import tempfile

sys.path.insert(0, sys.argv[1])

from cloudinit import helpers, user_data
from cloudinit.handlers import cloud_config

types, texts = [], []
with tempfile.TemporaryDirectory() as folder:
    paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
    whole = user_data.UserDataProcessor(paths).process(sys.stdin.buffer.read())
    handler = cloud_config.CloudConfigPartHandler(paths)
    handler.handle_part(None, "__begin__", None, None, None, None)
    for part in whole.walk():
        if part.is_multipart():
            continue
        types.append(part.get_content_type())
        texts.append(part.get_payload(decode=True).decode())
        if types[-1] == "text/cloud-config":
            handler.handle_part(None, types[-1], "part", texts[-1], None, dict(part.items()))
json.dump({"types": types, "config": handler.cloud_buf, "texts": texts}, sys.stdout)
