"""Scores of classifier folders as transformers computes them: transformers_scores.py REQUEST.json

REQUEST.json: {"folders": [...], "adapters": [{"base", "folder", "labels"}], "texts": [...], "ids": [[...], ...]}. Of every
folder, and of every adapter on its base with so many labels, prints one JSON line: {"folder", "notes", "single", "batch",
"texts"}; each is [rows][labels] in float32: rows of ids one by one, rows of ids padded on the right to one batch, and texts
that the folder's own tokenizer turns into one padded batch. `notes` lists weights that were missing or unexpected. Must not
import attune.
"""

import json
import sys
import warnings

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def load(folder, **options):
    return AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True, **options
    )


def padded(rows, pad):
    longest = max(len(row) for row in rows)
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def answer(model, folder, notes, request):
    with torch.no_grad():
        single = [model(torch.tensor([row])).logits[0].tolist() for row in request["ids"]]
        pad = model.config.pad_token_id
        batch = texts = None
        if pad is not None:
            ids, mask = padded(request["ids"], pad)
            batch = model(ids, attention_mask=mask).logits.tolist()
            tokenizer = AutoTokenizer.from_pretrained(folder)
            texts = model(**tokenizer(request["texts"], padding=True, return_tensors="pt")).logits.tolist()
    print(json.dumps({"folder": folder, "notes": notes, "single": single, "batch": batch, "texts": texts}))


def main() -> None:
    request = json.load(open(sys.argv[1]))
    for folder in request["folders"]:
        model, info = load(folder)
        answer(model.eval(), folder, [f"{kind}: {name}" for kind, names in info.items() for name in names], request)
    for entry in request["adapters"]:
        from peft import PeftModel

        base, _ = load(entry["base"], num_labels=entry["labels"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = PeftModel.from_pretrained(base, entry["folder"])
        answer(model.eval(), entry["folder"], [str(one.message) for one in caught if "missing" in str(one.message)], request)


main()
