/* A register tile for every number of rows and of vectors, and the table of them. The file that
 * includes this has defined
 *
 *     typedef ... tile_function(...);
 *     TILE(rows, vectors)    the definition of tile_<rows>_<vectors>, a tile_function
 *
 * and gets tiles[vectors - 1][rows - 1], CHL_PANEL_ROWS of each. */
#define TILES(vectors)                                                                             \
    TILE(1, vectors)                                                                               \
    TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors) TILE(6, vectors)
#define LISTED(vectors)                                                                            \
    tile_1_##vectors, tile_2_##vectors, tile_3_##vectors, tile_4_##vectors, tile_5_##vectors,      \
        tile_6_##vectors
TILES(1)
#ifdef __AVX512F__
#define MORE_TILES(vectors)                                                                        \
    TILE(7, vectors)                                                                               \
    TILE(8, vectors) TILE(9, vectors) TILE(10, vectors) TILE(11, vectors) TILE(12, vectors)
#define MORE_LISTED(vectors)                                                                       \
    LISTED(vectors), tile_7_##vectors, tile_8_##vectors, tile_9_##vectors, tile_10_##vectors,      \
        tile_11_##vectors, tile_12_##vectors
MORE_TILES(1)
TILES(2)
MORE_TILES(2)
static tile_function *const tiles[2][CHL_PANEL_ROWS] = {{MORE_LISTED(1)}, {MORE_LISTED(2)}};
#else
static tile_function *const tiles[1][CHL_PANEL_ROWS] = {{LISTED(1)}};
#endif
