"""Plain nets of 18 to 134 layers beside residual nets on ImageNet, for one large GPU.

Command:   python -m training.train seqnet_table1_imagenet_gpu/ROW --data-dir DATA
Cost:      1,394 to 11,052 PFLOP a row; 3.9 hours to 31 hours if the GPU
           sustains 100 TFLOP/s.
Expected:  the published figures of seqnet_table1_imagenet. Not measured.
"""

from training.recipes import on_large_gpu, seqnet_table1_imagenet
from training.tasks.recipe import About

ABOUT = About(
    title="Plain nets of 18 to 134 layers beside residual nets on ImageNet, for one large GPU",
    paper=(
        'Hu, "Revisiting Exploding Gradient: A Ghost That Never Leaves", table 1 and appendix B.3.'
    ),
    protocol=(
        "that of seqnet_table1_imagenet in bfloat16, with batch 1024 and all rates four times as "
        "high, after the linear rule of Goyal et al."
    ),
)

RECIPES = on_large_gpu(seqnet_table1_imagenet.RECIPES, batch_size=1024)
