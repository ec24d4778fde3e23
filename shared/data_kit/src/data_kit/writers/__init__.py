"""Writers of data sets, in the layout that a framework needs."""

from data_kit.writers.coco import write_coco
from data_kit.writers.imagefolder import write_imagefolder
from data_kit.writers.voc import write_voc
from data_kit.writers.yolo import write_yolo

__all__ = ["write_coco", "write_imagefolder", "write_voc", "write_yolo"]
