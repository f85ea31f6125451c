# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gpu_variant
version_added: 0.2.0
short_description: Which CUDA variant of an image a host can use
author:
  - mlenv.jupyter contributors (@mlenv)
description:
  - Chooses the newest of the variants that the host's NVIDIA driver is new enough for. CUDA 12 needs 525.60.13, CUDA 13 needs 580.65.06.
  - A card of before Turing gets no CUDA 13, which has no code for it.
  - The result is empty, the variant for the CPU, on a host without a GPU that its engine could hand over.
positional: _input, gpus
options:
  _input:
    description: Names of the variants, as V(cuda12).
    type: list
    elements: str
    required: true
  gpus:
    description: What M(mlenv.jupyter.lab_info) returned as RV(mlenv.jupyter.lab_info#module:gpus).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look at the host
  mlenv.jupyter.lab_info:
  register: look

- name: Say which variant of pytorch-notebook it can use
  ansible.builtin.debug:
    msg: "{{ ['cuda12', 'cuda13'] | mlenv.jupyter.gpu_variant(look.gpus) }}"
"""

RETURN = r"""
_value:
  description: Name of the variant, or nothing.
  type: str
"""

from ansible_collections.mlenv.jupyter.plugins.plugin_utils._gpu_choice import variant_for


class FilterModule:
    def filters(self):
        return {"gpu_variant": variant_for}
