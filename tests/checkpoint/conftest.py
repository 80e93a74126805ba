from tests.support.fixtures import folder as folder
from tests.support.fixtures import template as template
