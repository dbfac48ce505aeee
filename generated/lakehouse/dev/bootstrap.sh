# defect of lakewright: error: Found integer but expected identifier.
   --> own:275:15
    |
275 |   told {{ one.0 | shell }} {{ one.1 | shell }}
    |               ^
