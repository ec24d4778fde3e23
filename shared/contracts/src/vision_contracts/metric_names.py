"""Names of metrics that mean the same in every framework. A framework's own are named `<framework>/…`."""

TRAIN_LOSS = "train/loss"
VAL_LOSS = "val/loss"
VAL_ACCURACY = "val/accuracy"
VAL_MAP50_95 = "val/map50_95"
VAL_MAP50 = "val/map50"
VAL_MIOU = "val/miou"
LEARNING_RATE = "lr"
EPOCH_SECONDS = "time/epoch_seconds"

UNITS = {EPOCH_SECONDS: "s"}
