"""Data sets written anew, in the layout that a framework wants."""

from data_kit.writers.coco import write_coco
from data_kit.writers.imagefolder import write_imagefolder
from data_kit.writers.voc import write_voc
from data_kit.writers.yolo import write_yolo

__all__ = ["write_coco", "write_imagefolder", "write_voc", "write_yolo"]
