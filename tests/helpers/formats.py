"""Two tiny drawn images with masks of two classes and void, written in every format that a reader knows."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

SIZE = (24, 32)  # height, width
CLASSES = {"cell": 1, "nucleus": 2}
VOID = 255
COLOURS = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), VOID: (224, 224, 192)}

# (class, outline) of each image, from below to above: larger ones first, as COCO draws them.
BOX = [(2, 3), (14, 3), (14, 15), (2, 15)]
ANGLE = [(16, 4), (30, 4), (30, 8), (20, 8), (20, 20), (16, 20)]
INNER = [(5, 6), (9, 6), (9, 12), (5, 12)]
BORDER = [(0, 20), (12, 20), (12, 24), (0, 24)]
IMAGES = {
    "im_1": [("void", BORDER), ("cell", BOX), ("nucleus", INNER)],
    "im_2": [("cell", ANGLE), ("nucleus", INNER)],
}


def picture(name: str) -> np.ndarray:
    """Return an image, uint8 (H, W, 3)."""
    return np.random.default_rng(len(name) + int(name[-1])).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def inside(outline: list[tuple[int, int]]) -> np.ndarray:
    """Return the pixels inside an outline along the pixels' edges: those with an odd number of edges to the left."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    crossed = np.zeros(SIZE, int)
    for (x0, y0), (x1, y1) in zip(outline, outline[1:] + outline[:1], strict=True):
        if x0 == x1:
            crossed += (x0 < columns) & (min(y0, y1) < rows) & (rows < max(y0, y1))
    return crossed % 2 == 1


def mask(name: str) -> np.ndarray:
    """Return the mask of an image, uint8 (H, W): 0 background, 1 and 2 the classes, 255 void."""
    drawn = np.zeros(SIZE, np.uint8)
    for label, outline in IMAGES[name]:
        drawn[inside(outline)] = CLASSES.get(label, VOID)
    return drawn


def save(path: Path, array: np.ndarray) -> Path:
    """Write a picture, and the folder it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def png(array: np.ndarray) -> bytes:
    """Return a picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def base64_of(array: np.ndarray) -> str:
    """Return a picture as PNG in base64."""
    return base64.b64encode(png(array)).decode()


def folder(root: Path) -> dict:
    """The project's own layout."""
    for name in IMAGES:
        save(root / "images" / f"{name}.png", picture(name))
        save(root / "masks" / f"{name}.png", mask(name))
    return {"reader": "folder", "classes": CLASSES, "ignore": VOID}


def _segmentation(outline: list[tuple[int, int]], way: str):
    if way == "polygons":
        return [[value for point in outline for value in point]]
    if way == "compressed":
        rle = coco_mask.encode(np.asfortranarray(inside(outline).astype(np.uint8)))
        return {"size": list(SIZE), "counts": rle["counts"].decode()}
    flat = inside(outline).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(SIZE), "counts": ([0] if flat[0] else []) + counts}


def coco_file(names, way: str = "polygons") -> dict:
    """Return the content of a COCO file; `way`: polygons, compressed or counts."""
    annotations = [
        {
            "id": 10 * image + number,
            "image_id": image,
            "category_id": {"cell": 7, "nucleus": 9, "void": 7}[label],
            "iscrowd": int(label == "void"),
            "segmentation": _segmentation(outline, way if label != "void" or way != "polygons" else "counts"),
            "area": int(inside(outline).sum()),
            "bbox": [0, 0, 1, 1],
        }
        for image, name in enumerate(names, start=1)
        for number, (label, outline) in enumerate(reversed(IMAGES[name]))
    ]
    return {
        "info": {"description": "drawn"},
        "images": [
            {"id": image, "file_name": f"{name}.png", "height": SIZE[0], "width": SIZE[1]}
            for image, name in enumerate(names, start=1)
        ],
        "annotations": annotations,
        "categories": [
            {"id": 3, "name": "things", "supercategory": "none"},
            {"id": 7, "name": "cell"},
            {"id": 9, "name": "nucleus"},
        ],
    }


def coco(root: Path, way: str = "polygons") -> dict:
    """COCO, one file."""
    for name in IMAGES:
        save(root / "images" / f"{name}.png", picture(name))
    (root / "annotations").mkdir()
    (root / "annotations" / "instances.json").write_text(json.dumps(coco_file(IMAGES, way)))
    return {"reader": "coco"}


def labelme(root: Path) -> dict:
    """LabelMe: polygons, one box and one mask; the second image is in its file only."""
    root.mkdir()
    for name, shapes in IMAGES.items():
        listed = []
        for label, outline in shapes:
            corners = [list(map(float, outline[0])), list(map(float, outline[2]))]
            shape = {"label": "__ignore__" if label == "void" else label, "group_id": None, "flags": {}}
            if outline is BOX:
                shape |= {"shape_type": "rectangle", "points": corners[::-1]}
            elif outline is INNER:
                part = inside(outline)[6:12, 5:9]
                shape |= {
                    "shape_type": "mask",
                    "points": [[5, 6], [8, 11]],
                    "mask": base64_of(part),
                }
            else:
                shape |= {"shape_type": "polygon", "points": [list(map(float, point)) for point in outline]}
            listed.append(shape)
        data = base64_of(picture(name)) if name == "im_2" else None
        if data is None:
            save(root / f"{name}.png", picture(name))
        content = {"version": "5.5.0", "flags": {}, "shapes": listed, "imagePath": f"..\\pictures\\{name}.png"}
        content |= {"imageData": data, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        (root / f"{name}.json").write_text(json.dumps(content, indent=2))
    return {"reader": "labelme"}


def cvat(root: Path) -> dict:
    """CVAT for images 1.1: polygons, one box and one mask."""
    images = []
    for number, (name, shapes) in enumerate(IMAGES.items()):
        save(root / "images" / f"{name}.png", picture(name))
        lines = []
        for z, (label, outline) in enumerate(shapes):
            if outline is BOX:
                lines.append(f'<box label="{label}" xtl="2.0" ytl="3.0" xbr="14.0" ybr="15.0" z_order="{z}"></box>')
            elif outline is INNER:
                lines.append(
                    f'<mask label="{label}" rle="0, 24" left="5" top="6" width="4" height="6" z_order="{z}"></mask>'
                )
            else:
                points = ";".join(f"{x:.2f},{y:.2f}" for x, y in outline)
                lines.append(f'<polygon label="{label}" points="{points}" z_order="{z}"></polygon>')
        shapes_text = "".join(reversed(lines))  # z_order says what is on top
        images.append(
            f'<image id="{number}" name="{name}.png" width="{SIZE[1]}" height="{SIZE[0]}">{shapes_text}</image>'
        )
    labels = "".join(
        f"<label><name>{name}</name><color>#ff0000</color></label>" for name in ("cell", "nucleus", "void")
    )
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
        f"<meta><task><name>drawn</name><labels>{labels}</labels></task></meta>{''.join(images)}</annotations>"
    )
    return {"reader": "cvat", "ignore": "void"}


def brush(array: np.ndarray) -> list[int]:
    """Return the run lengths of a mask (H, W) as Label Studio stores brush strokes: four values a pixel."""
    flat = np.repeat(array.astype(np.uint8).ravel() * 255, 4)
    widths = (3, 4, 8, 16)
    bits = f"{flat.size:032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in widths)
    edges = np.flatnonzero(np.diff(flat)) + 1
    for run in np.split(flat, edges):
        which = next(number for number, width in enumerate(widths) if len(run) <= 2**width)
        bits += f"1{which:02b}{len(run) - 1:0{widths[which]}b}{run[0]:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def label_studio(root: Path) -> dict:
    """Label Studio's JSON: a brush mask, polygons and a box."""
    tasks = []
    for number, (name, shapes) in enumerate(IMAGES.items(), start=1):
        save(root / "pictures" / f"{name}.png", picture(name))
        results = []
        for label, outline in shapes:
            percent = [[100 * x / SIZE[1], 100 * y / SIZE[0]] for x, y in outline]
            if outline is INNER:
                kind, value = "brushlabels", {"format": "rle", "rle": brush(inside(outline))}
            elif outline is BOX:
                (x, y), (right, bottom) = percent[0], percent[2]
                kind, value = (
                    "rectanglelabels",
                    {"x": x, "y": y, "width": right - x, "height": bottom - y},
                )
            else:
                kind, value = "polygonlabels", {"points": percent, "closed": True}
            results.append(
                {"type": kind, "original_width": SIZE[1], "original_height": SIZE[0], "value": {**value, kind: [label]}}
            )
        address = f"/data/upload/1/0123abcd-{name}.png" if number == 1 else f"/data/local-files/?d=pictures/{name}.png"
        annotation = {"id": number, "was_cancelled": False, "result": results}
        tasks.append({"id": number, "data": {"image": address}, "annotations": [annotation], "predictions": []})
    (root / "project-1.json").write_text(json.dumps(tasks))
    return {"reader": "label_studio", "ignore": "void"}


def voc(root: Path, colours: bool = False) -> dict:
    """Pascal VOC: palette files with LabelMe's list of names, or (CVAT's export) colours with their map."""
    for name in IMAGES:
        save(root / "JPEGImages" / f"{name}.png", picture(name))
        drawn = Image.fromarray(mask(name)).convert("P")
        palette = [0] * 768
        for value, colour in COLOURS.items():
            palette[3 * value : 3 * value + 3] = colour
        drawn.putpalette(palette)
        (root / "SegmentationClass").mkdir(exist_ok=True)
        (drawn.convert("RGB") if colours else drawn).save(root / "SegmentationClass" / f"{name}.png")
    if colours:
        named = {"background": 0, **CLASSES, "void": VOID}
        lines = ["# label:color_rgb:parts:actions"]
        lines += [f"{name}:{','.join(map(str, COLOURS[value]))}::" for name, value in named.items()]
        (root / "labelmap.txt").write_text("\n".join(lines) + "\n")
    else:
        (root / "class_names.txt").write_text("_background_\ncell\nnucleus\n")
    return {"reader": "voc"}


def mmseg(root: Path) -> dict:
    """MMSegmentation's layout, without a split."""
    for name in IMAGES:
        save(root / "img_dir" / "train" / f"{name}.png", picture(name))
        save(root / "ann_dir" / "train" / f"{name}.png", mask(name))
    return {"reader": "mmseg", "classes": CLASSES}


def nnunet(root: Path, channels: bool = False) -> dict:
    """nnU-Net's raw layout: colour pictures, or one file of each channel; void is its label `ignore`."""
    top = root / "Dataset001_Drawn"
    for name in IMAGES:
        for number in range(3 if channels else 1):
            array = picture(name)[..., number] if channels else picture(name)
            save(top / "imagesTr" / f"{name}_{number:04d}.png", array)
        drawn = mask(name)
        drawn[drawn == VOID] = 3
        save(top / "labelsTr" / f"{name}.png", drawn)
    content = {"labels": {"background": 0, **CLASSES, "ignore": 3}, "file_ending": ".png", "numTraining": 2}
    content["channel_names"] = {"0": "R", "1": "G", "2": "B"}
    (top / "dataset.json").write_text(json.dumps(content))
    return {"reader": "nnunet"}


def huggingface(root: Path, parquet: bool = True) -> dict:
    """Hugging Face `datasets`: Parquet as published, or Arrow as `save_to_disk` writes it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {name: {"_type": "Image"} for name in ("image", "label")}
    schema = pa.schema([("image", image), ("label", image)]).with_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    rows = [
        {
            "image": {"bytes": png(picture(name)), "path": f"{name}.png"},
            "label": {"bytes": png(mask(name)), "path": None},
        }
        for name in IMAGES
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    if parquet:
        (root / "data").mkdir(parents=True)
        pq.write_table(table, root / "data" / "train-00000-of-00001.parquet")
    else:
        root.mkdir(parents=True)
        with pa.OSFile(str(root / "data-00000-of-00001.arrow"), "wb") as file, pa.ipc.new_stream(file, schema) as out:
            out.write_table(table)
        (root / "state.json").write_text(
            json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": None})
        )
        (root / "dataset_info.json").write_text(json.dumps({"features": features}))
    return {"reader": "huggingface", "classes": CLASSES, "ignore": VOID}


# name of the case -> what writes it below a root and returns the block of its data set
WRITERS = {
    "coco-polygons": coco,
    "coco-compressed": lambda root: coco(root, "compressed"),
    "coco-counts": lambda root: coco(root, "counts"),
    "labelme": labelme,
    "cvat": cvat,
    "label_studio": label_studio,
    "voc": voc,
    "voc-colours": lambda root: voc(root, colours=True),
    "mmseg": mmseg,
    "nnunet": nnunet,
    "nnunet-channels": lambda root: nnunet(root, channels=True),
    "huggingface-parquet": huggingface,
    "huggingface-arrow": lambda root: huggingface(root, parquet=False),
}
