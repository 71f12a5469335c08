# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# Print those of the given packages that are not installed.
for package; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=unknown
    [ "$status" = installed ] || echo "$package"
done
