"""Logits of model folders as transformers computes them: transformers_logits.py REQUEST.json

REQUEST.json: {"folders": [...], "ids": [...]}. Prints one JSON line per folder: {"folder", "notes", "logits"}; logits are
[tokens][vocabulary] in float32, `notes` lists weights that were missing or unexpected. Must not import attune.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM


def main() -> None:
    request = json.load(open(sys.argv[1]))
    ids = torch.tensor([request["ids"]])
    for folder in request["folders"]:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        with torch.no_grad():
            logits = model.eval()(ids).logits[0]
        notes = [f"{kind}: {name}" for kind, names in info.items() for name in names]
        print(json.dumps({"folder": folder, "notes": notes, "logits": logits.tolist()}))


main()
