"""Every text of the page, by key, in English and in Chinese, in one place.

What the engine says (reasons, warnings) comes as English sentences of its own. In Chinese a
reason is told by its stable code, a warning by its pattern; what is unknown stays as it came.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Language(StrEnum):
    """The languages that the page speaks; the values are those of HTML's ``lang``."""

    ENGLISH = "en"
    CHINESE = "zh"


_ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "title": "PhotoEnhance",
        "tagline": "Enhance photos that are small, blurred, noisy or old.",
        "private": "Your photos are sent to no other service.",
        # Choosing
        "photos": "Your photos",
        "drop": "Drop photos here, or tap to choose",
        "drop.kinds": "JPEG, PNG, WebP, HEIC, AVIF, TIFF",
        "preset": "Preset",
        "preset.everyday": "Everyday",
        "preset.portrait": "Portraits",
        "preset.old photo": "Old photos",
        "preset.illustration": "Illustrations or screenshots",
        "preset.fast": "Fast",
        "start": "Enhance",
        "options": "Options",
        "saving": "Saving: format, quality, metadata",
        "saving.hint": "Applies to new results, and to downloads of those that are there already.",
        # Options: the name that a person sees, and what it means
        "option.scale": "Scale",
        "option.scale.meaning": "How many times as wide and as high the result is.",
        "option.upscaler": "Network for the picture",
        "option.upscaler.meaning": "Automatic takes the best one that is installed.",
        "option.faces": "Faces to restore",
        "option.faces.meaning": "Without face networks they are enlarged like everything else.",
        "option.face_strength": "Face strength",
        "option.face_strength.meaning": "How much of each restored face is blended in.",
        "option.denoise": "Denoise",
        "option.denoise.meaning": "How much noise is removed, by realesr-general-x4v3.",
        "option.precision": "Precision",
        "option.precision.meaning": "Exact computes in 32 bits; fast in fewer, where that is "
        "near enough.",
        "option.output_format": "Save as",
        "option.output_format.meaning": "The format of the results.",
        "option.quality": "Quality",
        "option.quality.meaning": "Of JPEG, WebP and AVIF files.",
        "option.keep_metadata": "Keep camera, time and place",
        "option.keep_metadata.meaning": "EXIF and XMP. The colour profile is always kept.",
        "choice.auto": "Automatic",
        "choice.none.upscaler": "None: resample only",
        "choice.builtin": "Built-in",
        "choice.all": "All",
        "choice.largest": "The largest",
        "choice.none": "None",
        "choice.exact": "Exact",
        "choice.fast": "Fast",
        "choice.same": "Same as the photo",
        "choice.png": "PNG",
        "choice.jpeg": "JPEG",
        "choice.webp": "WebP",
        "choice.tiff": "TIFF",
        "choice.avif": "AVIF",
        # What happens
        "info": "Note",
        "error": "That did not work",
        "side_files": "Files that macOS and Windows write beside photos (._*, .DS_Store, "
        "Thumbs.db, desktop.ini) were left out.",
        "no_photos": "Choose photos first: drop them in, or tap the field.",
        "too_many": "These are {count} photos, and a batch takes {most} at most. Choose fewer at "
        "once.",
        "too_many.joining": "With these the batch would hold {count} photos, and it takes {most} "
        "at most. Choose fewer, or wait until it has ended.",
        "joined": "The photos joined the running batch and use its options.",
        "replaced": "Other options begin a new batch; the earlier results were removed from the "
        "page.",
        "empty.title": "Your enhanced photos appear here",
        "empty": "Each one comes as soon as it is finished, while the others are still being "
        "worked on.",
        "empty.nothing": "No network is installed yet",
        "empty.nothing.how": "Photos would only be resampled. Download a network below, or drop a "
        "file of your own in.",
        "examples": "No photo at hand? Take one of these, then press the button:",
        "example": "Take the example {name}",
        "example.astronaut": "Portrait",
        "example.coffee": "Coffee",
        "example.chelsea": "Cat",
        "example.rocket": "Rocket",
        "summary.working": "{done} of {total} finished",
        "summary.left": "{time} left",
        "summary.done.one": "Your photo is ready",
        "summary.done": "All {total} photos are ready",
        "summary.partly": "{done} of {total} photos are ready",
        "summary.partly.how": "Each of the others says why. Those that failed can be tried again.",
        "summary.none": "No photo could be finished",
        "summary.none.how": "Each one says why. Other photos can be added at any time.",
        "summary.cancelled": "{done} of {total} photos are ready; the rest was cancelled",
        "summary.progress": "Progress of the batch",
        "results.hint": "Open one to compare it with its original.",
        "time.seconds": "{count} s",
        "time.minutes": "{count} min",
        "time.hours": "{hours} h {minutes} min",
        "cancel": "Cancel all",
        "retry": "Retry failed",
        "clear": "Start over",
        # Cards
        "photo.list": "Photos of the batch",
        "photo.open": "View {name}",
        "photo.choose": "Select {name}",
        "photo.cancel": "Cancel",
        "photo.cancel.label": "Cancel {name}",
        "photo.retry": "Retry",
        "photo.retry.label": "Retry {name}",
        "photo.save": "Download",
        "photo.save.label": "Download {name}",
        "photo.draft": "Draft",
        "photo.progress": "Progress of {name}",
        "state.queued": "Waiting",
        "state.working": "Working",
        "state.done": "Ready",
        "state.failed": "Failed",
        "state.cancelled": "Cancelled",
        "stage.reading": "Reading",
        "stage.waiting": "Waiting for its turn",
        "stage.preparing": "Preparing the network; the first time here this may take minutes",
        "stage.finding faces": "Looking for faces",
        "stage.restoring faces": "Restoring faces",
        "stage.enlarging": "Enlarging",
        "stage.blending": "Blending",
        "stage.writing": "Writing the file",
        "note.size": "{width} × {height}",
        "note.faces.one": "1 face",
        "note.faces": "{count} faces",
        "note.seconds": "{seconds} s",
        "note.very_close": "very close to the original ({db} dB)",
        "note.close": "close to the original ({db} dB)",
        "note.changed": "clearly changed ({db} dB)",
        # The viewer
        "viewer": "Photo viewer",
        "viewer.close": "Close",
        "viewer.previous": "Previous photo",
        "viewer.next": "Next photo",
        "viewer.slider": "Slider",
        "viewer.side": "Side by side",
        "viewer.map": "What changed",
        "viewer.views": "View",
        "viewer.position": "Divider between before and after",
        "viewer.before": "Before",
        "viewer.after": "After",
        "viewer.in": "Zoom in",
        "viewer.out": "Zoom out",
        "viewer.fit": "Fit",
        "viewer.full": "100 %",
        "viewer.save": "Download",
        "viewer.loading": "Loading",
        "viewer.stage": "The photo. Drag moves it, plus and minus zoom, the arrow keys go to the "
        "next photo.",
        "viewer.map.meaning": "Brighter areas differ more from the original.",
        "viewer.faces": "Faces",
        "viewer.face": "Face {count}",
        "viewer.face.strength": "Strength of face {count}",
        "viewer.faces.all": "All",
        "viewer.faces.none": "None",
        # Keeping
        "download.all": "Download all (ZIP)",
        "download.chosen": "Download selected (ZIP)",
        "nothing_finished": "No photo is finished yet.",
        "gone": "This photo is no longer here. Reload the page.",
        "stranger": "The server does not know this page any more. Reload it.",
        # Networks
        "networks": "Networks",
        "networks.looking": "Checking the installed networks",
        "networks.label": "Using",
        "networks.builtin": "built-in network",
        "networks.device": "on {device}",
        "networks.no_upscaler": "No enlarging network is installed: photos are only resampled.",
        "networks.no_faces": "No network that restores faces is installed: faces are enlarged like "
        "everything else.",
        "networks.downloading": "Downloading {name}: {done} of {total} MB",
        "networks.waiting.one": "1 more to download",
        "networks.waiting": "{count} more to download",
        "networks.busy.one": "1 photo in the queue",
        "networks.busy": "{count} photos in the queue",
        "networks.name": "Network",
        "networks.purpose": "Purpose",
        "networks.size": "Size",
        "networks.licence": "Licence",
        "networks.state": "Status",
        "networks.installed": "Installed",
        "networks.absent": "Not installed",
        "networks.queued": "Waiting for its download",
        "networks.never": "Not supported",
        "networks.get": "Download",
        "networks.get.label": "Download {name}",
        "networks.megabytes": "{size} MB",
        "networks.own.purpose": "A file of your own",
        "networks.builtin.purpose": "Comes with the program: any photo, in seconds",
        "networks.own.drop": "Drop a .pth or .safetensors file of your own here",
        "networks.own.hint": "An upscaler that spandrel knows, or one of those above. It is read "
        "by a loader that runs no code in it.",
        "networks.own.taken": "{name} is installed and can be selected.",
        "networks.own.refused": "{name} was not installed: {reason}",
        "networks.not_allowed": "Only whoever runs this server can add networks.",
        "networks.offline": "The server runs offline, so nothing can be downloaded.",
        "role.upscaler": "Enlarging",
        "role.detector": "Finding faces",
        "role.restorer": "Restoring faces",
        "role.parser": "Blending faces",
        # Failing
        "not_files": "photos must be a list of uploaded files, each an object with a path and "
        'the field "meta": {{"_type": "gradio.FileData"}}.',
        "not_file": "photo must be one uploaded file, an object with a path and "
        'the field "meta": {{"_type": "gradio.FileData"}}.',
        "not_valid": "An argument has a value that it cannot have.",
        "no_photo": "No photo was given.",
    }
)

_CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "title": "PhotoEnhance",
        "tagline": "增强小、糊、噪点多或老旧的照片。",
        "private": "您的照片不会发送到任何其他服务。",
        "photos": "您的照片",
        "drop": "把照片拖到这里，或点按选择",
        "drop.kinds": "JPEG、PNG、WebP、HEIC、AVIF、TIFF",
        "preset": "预设",
        "preset.everyday": "日常",
        "preset.portrait": "人像",
        "preset.old photo": "老照片",
        "preset.illustration": "插画或截图",
        "preset.fast": "快速",
        "start": "增强",
        "options": "选项",
        "saving": "保存：格式、质量、元数据",
        "saving.hint": "既用于新的结果，也用于下载已有的结果。",
        "option.scale": "放大倍数",
        "option.scale.meaning": "结果的宽和高是原来的几倍。",
        "option.upscaler": "画面网络",
        "option.upscaler.meaning": "“自动”会选用已安装的最好的一个。",
        "option.faces": "修复哪些人脸",
        "option.faces.meaning": "没有人脸网络时，人脸与其他部分一样放大。",
        "option.face_strength": "人脸强度",
        "option.face_strength.meaning": "修复后的人脸融入多少。",
        "option.denoise": "降噪",
        "option.denoise.meaning": "去除多少噪点，由 realesr-general-x4v3 完成。",
        "option.precision": "精度",
        "option.precision.meaning": "“精确”用 32 位计算；“快速”在足够接近时用更少的位数。",
        "option.output_format": "保存为",
        "option.output_format.meaning": "结果的格式。",
        "option.quality": "质量",
        "option.quality.meaning": "用于 JPEG、WebP 和 AVIF 文件。",
        "option.keep_metadata": "保留相机、时间和地点",
        "option.keep_metadata.meaning": "EXIF 和 XMP。色彩配置文件总会保留。",
        "choice.auto": "自动",
        "choice.none.upscaler": "无：只重采样",
        "choice.builtin": "内置",
        "choice.all": "全部",
        "choice.largest": "最大的",
        "choice.none": "无",
        "choice.exact": "精确",
        "choice.fast": "快速",
        "choice.same": "与照片相同",
        "choice.png": "PNG",
        "choice.jpeg": "JPEG",
        "choice.webp": "WebP",
        "choice.tiff": "TIFF",
        "choice.avif": "AVIF",
        "info": "提示",
        "error": "没有成功",
        "side_files": "macOS 和 Windows 在照片旁写的文件（._*、.DS_Store、Thumbs.db、desktop.ini）"
        "已略去。",
        "no_photos": "请先选择照片：拖进来，或点按上面的框。",
        "too_many": "这里有 {count} 张照片，而一批最多 {most} 张。请一次少选一些。",
        "too_many.joining": "加上这些，这一批会有 {count} 张照片，而最多 {most} 张。"
        "请少选一些，或等这一批结束。",
        "joined": "这些照片加入了正在进行的批次，并沿用它的选项。",
        "replaced": "选项不同，因此开始了新的批次；之前的结果已从页面移除。",
        "empty.title": "增强后的照片会出现在这里",
        "empty": "每张一完成就会出现，其余的照片继续处理。",
        "empty.nothing": "还没有安装任何网络",
        "empty.nothing.how": "照片只会被重采样。请在下面下载一个网络，或放入您自己的文件。",
        "examples": "手边没有照片？选一张试试，然后按按钮：",
        "example": "选用示例：{name}",
        "example.astronaut": "人像",
        "example.coffee": "咖啡",
        "example.chelsea": "猫",
        "example.rocket": "火箭",
        "summary.working": "已完成 {done} / {total}",
        "summary.left": "还需 {time}",
        "summary.done.one": "您的照片好了",
        "summary.done": "全部 {total} 张照片都好了",
        "summary.partly": "{total} 张照片中有 {done} 张好了",
        "summary.partly.how": "其余每张都写明了原因。失败的可以重试。",
        "summary.none": "没有照片能够完成",
        "summary.none.how": "每张都写明了原因。随时可以添加其他照片。",
        "summary.cancelled": "{total} 张照片中有 {done} 张好了，其余已取消",
        "summary.progress": "批次进度",
        "results.hint": "打开一张，与原图比较。",
        "time.seconds": "{count} 秒",
        "time.minutes": "{count} 分钟",
        "time.hours": "{hours} 小时 {minutes} 分钟",
        "cancel": "全部取消",
        "retry": "重试失败的",
        "clear": "重新开始",
        "photo.list": "这一批照片",
        "photo.open": "查看 {name}",
        "photo.choose": "选择 {name}",
        "photo.cancel": "取消",
        "photo.cancel.label": "取消 {name}",
        "photo.retry": "重试",
        "photo.retry.label": "重试 {name}",
        "photo.save": "下载",
        "photo.save.label": "下载 {name}",
        "photo.draft": "草图",
        "photo.progress": "{name} 的进度",
        "state.queued": "等待中",
        "state.working": "处理中",
        "state.done": "完成",
        "state.failed": "失败",
        "state.cancelled": "已取消",
        "stage.reading": "正在读取",
        "stage.waiting": "等待轮到它",
        "stage.preparing": "正在准备所用网络（本机首次可能要几分钟）",
        "stage.finding faces": "正在寻找人脸",
        "stage.restoring faces": "正在修复人脸",
        "stage.enlarging": "正在放大",
        "stage.blending": "正在合成",
        "stage.writing": "正在写文件",
        "note.size": "{width} × {height}",
        "note.faces.one": "1 张人脸",
        "note.faces": "{count} 张人脸",
        "note.seconds": "{seconds} 秒",
        "note.very_close": "与原图非常接近（{db} dB）",
        "note.close": "与原图接近（{db} dB）",
        "note.changed": "与原图差别明显（{db} dB）",
        "viewer": "照片查看器",
        "viewer.close": "关闭",
        "viewer.previous": "上一张",
        "viewer.next": "下一张",
        "viewer.slider": "滑动对比",
        "viewer.side": "并排",
        "viewer.map": "改动之处",
        "viewer.views": "视图",
        "viewer.position": "前后对比分界线",
        "viewer.before": "之前",
        "viewer.after": "之后",
        "viewer.in": "放大",
        "viewer.out": "缩小",
        "viewer.fit": "适合窗口",
        "viewer.full": "100 %",
        "viewer.save": "下载",
        "viewer.loading": "正在载入",
        "viewer.stage": "照片。拖动可移动，加减键可缩放，方向键切换照片。",
        "viewer.map.meaning": "越亮的地方，与原图差别越大。",
        "viewer.faces": "人脸",
        "viewer.face": "人脸 {count}",
        "viewer.face.strength": "人脸 {count} 的强度",
        "viewer.faces.all": "全部",
        "viewer.faces.none": "无",
        "download.all": "全部下载（ZIP）",
        "download.chosen": "下载所选（ZIP）",
        "nothing_finished": "还没有完成的照片。",
        "gone": "这张照片已不在这里。请重新载入页面。",
        "stranger": "服务器已不认得此页面。请重新载入。",
        "networks": "网络",
        "networks.looking": "正在检查已安装的网络",
        "networks.label": "正在使用",
        "networks.builtin": "内置网络",
        "networks.device": "运行于 {device}",
        "networks.no_upscaler": "没有安装放大网络：照片只会被重采样。",
        "networks.no_faces": "没有安装修复人脸的网络：人脸与其他部分一样放大。",
        "networks.downloading": "正在下载 {name}：{done} / {total} MB",
        "networks.waiting.one": "还有 1 个要下载",
        "networks.waiting": "还有 {count} 个要下载",
        "networks.busy.one": "队列中有 1 张照片",
        "networks.busy": "队列中有 {count} 张照片",
        "networks.name": "网络",
        "networks.purpose": "用途",
        "networks.size": "大小",
        "networks.licence": "许可",
        "networks.state": "状态",
        "networks.installed": "已安装",
        "networks.absent": "未安装",
        "networks.queued": "等待下载",
        "networks.never": "不支持",
        "networks.get": "下载",
        "networks.get.label": "下载 {name}",
        "networks.megabytes": "{size} MB",
        "networks.own.purpose": "您自己的文件",
        "networks.builtin.purpose": "随程序附带：任何照片，几秒完成",
        "networks.own.drop": "把您自己的 .pth 或 .safetensors 文件拖到这里",
        "networks.own.hint": "spandrel 认识的放大网络，或上面列出的文件。"
        "读取它的加载器不会运行其中的代码。",
        "networks.own.taken": "{name} 已安装，可以选用。",
        "networks.own.refused": "{name} 未安装：{reason}",
        "networks.not_allowed": "只有运行这台服务器的人才能添加网络。",
        "networks.offline": "服务器处于离线模式，无法下载。",
        "role.upscaler": "放大",
        "role.detector": "寻找人脸",
        "role.restorer": "修复人脸",
        "role.parser": "融合人脸",
        "not_files": "photos 必须是已上传文件的列表，每个都是带有 path 和 "
        '"meta": {{"_type": "gradio.FileData"}} 的对象。',
        "not_file": "photo 必须是一个已上传的文件，即带有 path 和 "
        '"meta": {{"_type": "gradio.FileData"}} 的对象。',
        "not_valid": "有一个参数的值不可用。",
        "no_photo": "没有给出照片。",
    }
)

_CHINESE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "photo_missing": "文件不在了或无法打开。请重新选择照片。",
        "photo_empty": "文件是空的。",
        "file_too_large": "文件太大，超过了允许的大小。",
        "side_file": "这是 macOS 或 Windows 写的附带文件，不是照片。",
        "not_a_photo": "这不是照片。可以读取 JPEG、PNG、WebP、TIFF、BMP、GIF、AVIF 和 HEIC。",
        "photo_damaged": "文件已损坏或不完整，无法读完。",
        "too_many_pixels": "照片的像素太多，超过了允许的数量。",
        "too_many_photos": "这一批的照片已满。请在下一批中处理这张。",
        "too_much_at_once": "您等待处理的照片太多。请等一些完成后再试。",
        "too_many_calls": "您发送得太频繁。请过一会儿再试。",
        "invalid_option": "有一个选项的值不可用。",
        "invalid_setting": "有一个设置的值不可用。",
        "network_missing": "所选的网络没有安装。",
        "torch_missing": "所选的网络需要 torch，而它没有安装。请用 requirements.txt 安装。",
        "architecture_unknown": "这里不能运行这种结构的网络。",
        "weights_damaged": "网络文件已损坏。",
        "weights_untrusted": "网络文件与公布的不同，未被采用。",
        "download_failed": "网络文件未能下载。",
        "memory_exhausted": "内存不足。请用较小的倍数或较小的照片再试。",
        "disk_full": "磁盘已满。",
        "output_not_writable": "结果无法以这种格式保存。",
        "network_failed": "网络处理这张照片时出错。",
        "engine_stopped": "服务器停止了处理。请重试。",
        "unexpected": "发生了意外的错误。",
        "cancelled": "已取消。",
        "not_a_network": "只有 .pth、.safetensors 和 .onnx 文件才是网络。",
        "network_name_taken": "已有同名的网络。",
        "network_unknown": "它无法作为放大网络载入。",
    }
)
"""What the engine's codes mean, in Chinese."""

_CHINESE_WARNINGS: tuple[tuple[str, str], ...] = (
    (r"Resampling has no adjustable .*", "重采样没有可调的降噪；降噪选项没有作用。"),
    (r"(\S+) has no adjustable denoising.*", r"\1 没有可调的降噪；降噪选项没有作用。"),
    (
        r"Scale (\S+) would give more than (\S+) megapixels; (\S+) was used\.",
        r"放大 \1 倍会超过 \2 百万像素；已改用 \3 倍。",
    ),
    (r"No network that .* faces .*", "没有安装修复人脸的网络；人脸与其他部分一样放大。"),
    (r"Resampling has no fast form .*", "重采样没有快速形式；已用精确形式。"),
    (r"(\S+) has no fast form .*", r"\1 在这里没有足够接近的快速形式；已用精确形式。"),
)
"""What the engine warns of, in Chinese: a pattern of the sentence, and how it reads."""

_CHINESE_PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "GFPGANv1.4": "修复人脸；两个 GFPGAN 中更自然的一个",
        "GFPGANv1.3": "修复人脸；在没有 v1.4 时使用",
        "RestoreFormer": "用 Transformer 修复人脸；在没有 GFPGAN 时使用",
        "codeformer": "只列出名字，不运行：它的许可禁止商业使用",
        "RealESRGAN_x2plus": "照片，放大两倍",
        "RealESRGAN_x4plus": "照片，放大四倍",
        "realesr-general-x4v3": "照片，快速放大四倍，降噪可调",
        "realesr-general-wdn-x4v3": "realesr-general-x4v3 降噪的另一端",
        "RealESRGAN_x4plus_anime_6B": "插画，放大四倍",
        "detection_Resnet50_Final": "寻找人脸，最可靠",
        "detection_mobilenet0.25_Final": "寻找人脸，快速",
        "face_detection_yunet_2023mar": "寻找人脸，文件最小",
        "parsing_parsenet": "区分人脸、头发和背景，不留接缝",
        "parsing_bisenet": "同 ParseNet，耗时只是其几分之一",
    }
)
"""What the catalogue's networks are for, in Chinese."""


@dataclass(frozen=True)
class Texts:
    """The texts in one language."""

    language: Language
    table: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key with ``values`` filled in; KeyError where there is none."""
        return self.table[key].format(**values)

    def counted(self, key: str, count: int, **values: object) -> str:
        """The text for one thing (``key.one``) or for several."""
        return self(f"{key}.one" if count == 1 else key, count=count, **values)

    def reason(self, code: str | None, sentence: str) -> str:
        """Why a photo failed: the engine's ``sentence``, or what its code means."""
        if self.language is Language.ENGLISH or code is None:
            return sentence
        return _CHINESE_REASONS.get(code, sentence)

    def warning(self, sentence: str) -> str:
        """What a report warns of."""
        if self.language is Language.ENGLISH:
            return sentence
        for pattern, reading in _CHINESE_WARNINGS:
            match = re.fullmatch(pattern, sentence)
            if match is not None:
                return match.expand(reading)
        return sentence

    def purpose(self, name: str, sentence: str) -> str:
        """What a network of the catalogue is for."""
        if self.language is Language.ENGLISH:
            return sentence
        return _CHINESE_PURPOSES.get(name, sentence)

    def duration(self, seconds: float) -> str:
        """About how long, in the largest unit that says enough."""
        if seconds < 60:
            return self("time.seconds", count=max(1, round(seconds)))
        minutes = round(seconds / 60)
        if minutes < 60:
            return self("time.minutes", count=minutes)
        return self("time.hours", hours=minutes // 60, minutes=minutes % 60)


ENGLISH = Texts(Language.ENGLISH, _ENGLISH)
CHINESE = Texts(Language.CHINESE, _CHINESE)


def texts_in(language: object) -> Texts:
    """The texts in that language; English where it is none of ours."""
    return CHINESE if language == Language.CHINESE else ENGLISH


_OURS = frozenset(language.value for language in Language)


def preferred(accepted: str | None) -> Language:
    """The language of ours that comes first in an ``Accept-Language`` header.

    >>> preferred("zh-CN,zh;q=0.9,en;q=0.8").value
    'zh'
    """
    best, language = 0.0, Language.ENGLISH
    for part in (accepted or "").split(","):
        name, _, weight = part.strip().partition(";q=")
        ours = name.partition("-")[0].lower()
        share = _weight(weight)
        if ours in _OURS and share > best:
            best, language = share, Language(ours)
    return language


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
