# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.mlenv.jupyter.plugins.module_utils._directories import ARGUMENTS, bring_directories
from ansible_collections.mlenv.jupyter.plugins.plugin_utils._here import HereOrThere


class ActionModule(HereOrThere):
    ARGUMENTS = ARGUMENTS
    do = staticmethod(bring_directories)
