"""Logits of adapters as peft computes them: peft_logits.py REQUEST.json

REQUEST.json: {"make": [{"base", "folder", "config"}], "load": [{"base", "folder"}], "ids": [...]}. First makes the
adapters of "make" with random factors and saves them with peft, then loads every folder of both lists. Prints one JSON line
per folder: {"folder", "notes", "logits"}; logits are [tokens][vocabulary] in float32, `notes` lists weights that were missing
or unexpected. Must not import attune.
"""

import json
import sys
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


def base(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def make(entry):
    torch.manual_seed(7)
    model = get_peft_model(base(entry["base"]), LoraConfig(task_type="CAUSAL_LM", **entry["config"]))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    model.save_pretrained(entry["folder"])


def main() -> None:
    request = json.load(open(sys.argv[1]))
    ids = torch.tensor([request["ids"]])
    for entry in request["make"]:
        make(entry)
    for entry in request["make"] + request["load"]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = PeftModel.from_pretrained(base(entry["base"]), entry["folder"])
        with torch.no_grad():
            logits = model.eval()(ids).logits[0]
        notes = [str(one.message) for one in caught if "missing" in str(one.message)]
        print(json.dumps({"folder": entry["folder"], "notes": notes, "logits": logits.tolist()}))


main()
